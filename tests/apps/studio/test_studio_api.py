"""The studio's named endpoints, as programs use them."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from multimodal import FaceEditor
from tests.apps.conftest import Endless


@pytest.fixture(scope="module")
def client(studio_url: str) -> Client:
    return Client(studio_url, verbose=False)


def test_the_endpoints_are_named(client: Client) -> None:
    found = client.view_api(return_format="dict", print_info=False)
    assert isinstance(found, dict)
    assert set(found["named_endpoints"]) == {
        "/invert",
        "/edit_with_text",
        "/edit_with_sound",
        "/edit_with_both",
        "/animate",
        "/generate",
    }
    first = [
        p["parameter_has_default"]
        for p in found["named_endpoints"]["/edit_with_text"]["parameters"]
    ]
    assert first[0] is False
    assert all(first[2:])


def test_health(studio_url: str) -> None:
    with urllib.request.urlopen(f"{studio_url}/healthz") as answer:
        assert json.load(answer) == {"status": "ok"}


def test_the_edited_picture_comes_last_and_is_the_editors_own(
    client: Client, editor: FaceEditor, photo: Path
) -> None:
    scores, whole, edited = client.predict(
        handle_file(photo), "an old woman", api_name="/edit_with_text"
    )
    face = editor.invert(photo, "encoder")
    expected = editor.edit(face, text="an old woman").after
    with Image.open(edited) as image:
        assert image.convert("RGB").tobytes() == expected.tobytes()
        assert image.info["Software"] == "Semblance"
    assert whole is None
    assert scores["strength"] == 1.0


def test_lists_come_as_names_or_as_lists(client: Client, photo: Path) -> None:
    from apps.studio.api import listed

    assert listed("coarse, fine") == listed(["coarse", "fine"]) == ("coarse", "fine")
    assert listed("") == listed(None) == listed([]) == ()
    told = [
        client.predict(handle_file(photo), "old", keep=keep, layers="coarse", strength=None,
                       api_name="/edit_with_text")[0]
        for keep in ("identity", ["identity"])
    ]  # fmt: skip
    for scores in told:
        scores.pop("seconds")
    assert told[0] == told[1]


def test_what_is_not_given_is_the_default(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)
    assert isinstance(described, dict)
    moved = described["named_endpoints"]["/animate"]["parameters"]
    given = {p["parameter_name"]: p.get("parameter_default") for p in moved}
    assert given["strength"] == 1.2
    assert client.predict(api_name="/generate")


def test_sound_both_invert_generate(client: Client, photo: Path, laugh: Path) -> None:
    picture, sound = handle_file(photo), handle_file(laugh)
    report, drawn = client.predict(picture, api_name="/invert")
    assert report["method"] == "encoder"
    pictures = [
        drawn,
        client.predict(picture, sound, api_name="/edit_with_sound")[-1],
        client.predict(picture, "a child", sound, 0.3, api_name="/edit_with_both")[-1],
        client.predict("", 3, api_name="/generate"),
        client.predict("", 4, api_name="/generate"),
    ]
    seen = {Image.open(path).convert("RGB").tobytes() for path in pictures}
    assert len(seen) == 5


def test_animate(client: Client, photo: Path, laugh: Path) -> None:
    import av

    clip = client.predict(
        handle_file(photo), handle_file(laugh), "", 1.0, 1.0, 10.0, api_name="/animate"
    )
    with av.open(clip) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10
        assert container.streams.audio


def test_a_cancelled_job_gives_up_and_the_next_is_served(
    client: Client, photo: Path, endless: Endless
) -> None:
    job = client.submit(handle_file(photo), "old", api_name="/edit_with_text")
    assert endless.begun.wait(10)
    job.cancel()
    assert endless.given_up.wait(10)
    assert client.predict("", 3, api_name="/generate")


def test_a_job_whose_client_goes_away_gives_up(
    studio_url: str, photo: Path, endless: Endless
) -> None:
    api = f"{studio_url}/gradio_api"
    path = httpx.post(f"{api}/upload", files={"files": photo.read_bytes()}).json()[0]
    picture = {"path": path, "meta": {"_type": "gradio.FileData"}}
    job = httpx.post(f"{api}/call/invert", json={"data": [picture, 0, "encoder"]}).json()
    with httpx.stream("GET", f"{api}/call/invert/{job['event_id']}"):
        assert endless.begun.wait(10)
    assert endless.given_up.wait(30)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "(?i)say what to change"),
        (("x" * 1_000_000,), "at most 300"),
        (("a \x07 bell",), "control characters"),
        (("<script>alert(1)</script>" * 20,), "at most 300"),
        (("a smile", 1e9), "(?i)strength"),
        (("a smile", 1.0, "magic"), "magic"),
        (("a smile", 1.0, "auto", "elbow"), "elbow"),
    ],
)
def test_bad_words_are_refused_clearly(
    client: Client, photo: Path, arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises(AppError, match=message):
        client.predict(handle_file(photo), *arguments, api_name="/edit_with_text")


def hostile(kind: str, folder: Path) -> Path:
    """A file that says it is a picture."""
    path = folder / {"svg": "a.svg", "traversal": "..%2f..%2fetc.png"}.get(kind, f"{kind}.png")
    if kind == "bomb":
        path.write_bytes(png_header(50_000, 50_000))
    elif kind == "svg":
        path.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    elif kind == "html":
        path.write_text("<html><script>alert(1)</script></html>")
    elif kind == "zip":
        path.write_bytes(b"PK\x03\x04" + b"\0" * 500)
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(65 * 2**20)
    else:
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size; its pixels would fill the memory."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("bomb", "(?i)too many pixels|50000 x 50000"),
        ("svg", "SVG"),
        ("html", "web page"),
        ("zip", "not a picture"),
        ("large", "maximum file size|64 MB"),
        ("traversal", "cut off|damaged|not a picture"),
    ],
)
def test_hostile_pictures_are_refused_and_the_server_lives(
    client: Client, studio_url: str, tmp_path: Path, kind: str, message: str
) -> None:
    with pytest.raises(Exception, match=message):
        client.predict(handle_file(hostile(kind, tmp_path)), "old", api_name="/edit_with_text")
    test_health(studio_url)


def test_hostile_sounds_and_paths(
    client: Client, photo: Path, tmp_path: Path, studio_url: str
) -> None:
    text = tmp_path / "talk.wav"
    text.write_text("not a sound")
    with pytest.raises(AppError):
        client.predict(handle_file(photo), handle_file(text), api_name="/edit_with_sound")
    outside = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(Exception):  # noqa: B017
        client.predict(outside, "old", api_name="/edit_with_text")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{studio_url}/gradio_api/file=/etc/passwd")
    test_health(studio_url)


def asked(studio_url: str, endpoint: str, *data: object) -> str:
    """What a plain HTTP call answers, its events as one text."""
    api = f"{studio_url}/gradio_api/call/{endpoint}"
    sent = httpx.post(
        api, content=json.dumps({"data": data}), headers={"content-type": "application/json"}
    )
    if sent.status_code != 200:
        return sent.text
    job = sent.json()
    with httpx.stream("GET", f"{api}/{job['event_id']}", timeout=60) as answer:
        return "".join(answer.iter_text())


def test_too_few_arguments_are_one_line(
    studio_url: str, photo: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = httpx.post(
        f"{studio_url}/gradio_api/upload", files={"files": photo.read_bytes()}
    ).json()[0]
    picture = {"path": path, "meta": {"_type": "gradio.FileData"}}
    assert "needs picture and text; picture is missing" in asked(studio_url, "edit_with_text")
    assert "text is missing" in asked(studio_url, "edit_with_text", picture)
    assert "is missing" in asked(studio_url, "animate", picture)
    assert "event: complete" in asked(studio_url, "edit_with_text", picture, "old")
    assert "event: complete" in asked(studio_url, "generate")
    for seed in (2**64, -(10**30), 1e300, "x", [1], {}):
        assert "64 bits" in asked(studio_url, "generate", "", seed), seed
    surrogate = asked(studio_url, "edit_with_text", picture, "a \ud83d smile")
    assert "control characters" in surrogate
    assert "event: error" in asked(studio_url, "edit_with_text", picture, "old", 1, "\ud83d")
    assert "Traceback" not in capfd.readouterr().err
