"""The mark that says a picture was edited by AI: XMP, EXIF and PNG text.

IPTC's digital source type for a photo with a generated part is
`compositeWithTrainedAlgorithmicMedia` (cv.iptc.org/newscodes/digitalsourcetype).
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from PIL import Image, PngImagePlugin, TiffImagePlugin, TiffTags

SOFTWARE = "Semblance"
MARK = "AI-edited"
SOURCE_TYPE = "compositeWithTrainedAlgorithmicMedia"
SOURCE_TYPE_URI = f"http://cv.iptc.org/newscodes/digitalsourcetype/{SOURCE_TYPE}"

_EXIF_DESCRIPTION = 0x010E
_EXIF_SOFTWARE = 0x0131
_TIFF_XMP = 700
_EXIF_IFD, _EXIF_DATE_ORIGINAL, _EXIF_DATE = 0x8769, 0x9003, 0x0132


def xmp_mark(description: str) -> bytes:
    """An XMP packet with the digital source type, the software and the description."""
    # Characters that XML cannot hold (controls) would make readers drop the whole packet.
    clean = "".join(c for c in _labelled(description) if c.isprintable())
    text = escape(clean, {'"': "&quot;"})
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmp:CreatorTool="{SOFTWARE}" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE_URI}">'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
        "</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


def exif_mark(description: str, taken: str | None = None) -> bytes:
    """EXIF with `Software` and `ImageDescription` (ASCII, as the standard asks), and the date
    that a photo was taken on where it is to be kept."""
    exif = Image.Exif()
    exif[_EXIF_SOFTWARE] = SOFTWARE
    exif[_EXIF_DESCRIPTION] = _labelled(description).encode("ascii", "replace").decode()
    if taken is not None:
        exif[_EXIF_DATE] = taken
        exif.get_ifd(_EXIF_IFD)[_EXIF_DATE_ORIGINAL] = taken
    return exif.tobytes()


def tiff_mark(description: str, taken: str | None = None) -> TiffImagePlugin.ImageFileDirectory_v2:
    """TIFF tags `Software`, `ImageDescription`, and the XMP packet."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[_EXIF_SOFTWARE] = SOFTWARE
    tags[_EXIF_DESCRIPTION] = _labelled(description).encode("ascii", "replace").decode()
    if taken is not None:
        tags[_EXIF_DATE] = taken
    tags.tagtype[_TIFF_XMP] = TiffTags.BYTE
    tags[_TIFF_XMP] = xmp_mark(description)
    return tags


def png_mark(description: str) -> PngImagePlugin.PngInfo:
    """PNG text chunks `Software`, `Description`, `DigitalSourceType`, and the XMP packet."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", SOFTWARE)
    info.add_itxt("Description", _labelled(description).replace("\0", " "))
    info.add_text("DigitalSourceType", SOURCE_TYPE)
    info.add_itxt("XML:com.adobe.xmp", xmp_mark(description).decode())
    return info


def _labelled(description: str) -> str:
    text = description[:2000].strip()
    return text if MARK.lower() in text.lower() else f"{MARK}: {text}" if text else MARK
