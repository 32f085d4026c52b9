"""What a model folder holds: file names, a manifest with SHA-256 sums and licences, and checks.

A model folder (the shipped ones are `multimodal/bundle/<name>`) is a complete Semblance model:

    manifest.json                 every file with its SHA-256, size and licence
    generator.safetensors .json   StyleGAN2
    encoder.safetensors .json     picture -> W+
    hyper.safetensors .json       picture and drawing -> changes of the generator
    identity.safetensors .json    picture -> identity vector
    judge.safetensors .json       picture -> attributes, for figures only
    parser.safetensors .json      picture -> the part of a face that every pixel shows
    clip/                         an open_clip model folder
    sound/                        sound -> sentence space
    text_encoder.safetensors      sentence -> W+
    delta.safetensors             (S, CLIP change) -> S change
    factors.safetensors           where W holds known factors, and the words for them
    attributes.safetensors        named directions of W+
    directions.safetensors        S-space statistics of the global directions
    sefa.safetensors              SeFa's directions, and ganspace.safetensors GANSpace's
    photo_codes.safetensors       where W+ holds photographs, for faces of nobody
    about.json                    what the model was made of
    MODEL_CARD.md pictures/       what it can do, measured and shown

A variant's folder holds only what differs from another model's (`multimodal.files.variants`).

`recipes.pack.pack` writes such a folder. Loading checks every file that is read by a program;
the card and its pictures are read by people and may be edited.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from multimodal.files.weights import WeightsError, atomic, sha256_of

HOME = Path(__file__).resolve().parents[1] / "bundle"
MANIFEST = "manifest.json"
CARD, PICTURES = "MODEL_CARD.md", "pictures"
MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True)
class BundleFile:
    """One file of a model folder.

    Args:
        sha256: hex digest.
        size: bytes.
        licence: SPDX name under which the file may be used.
    """

    sha256: str
    size: int
    licence: str


@dataclass(frozen=True)
class Bundle:
    """A model folder and what its manifest says.

    Args:
        root: the folder.
        files: by path relative to it, with forward slashes.
    """

    root: Path
    files: dict[str, BundleFile]

    def __contains__(self, name: str) -> bool:
        """Is there such a file, or a folder with files in it?"""
        return name in self.files or any(file.startswith(f"{name}/") for file in self.files)

    def path(self, name: str) -> Path:
        """Path of a file or folder, its contents checked against the manifest.

        Raises:
            FileNotFoundError: the model has no such part, or it is gone from the disk.
            WeightsError: a file is not the one the manifest describes.
        """
        mine = [f for f in self.files if f == name or f.startswith(f"{name}/")]
        if not mine:
            raise FileNotFoundError(f"model {self.root.name} has no {name!r}")
        for file in mine:
            _check(self.root / file, self.files[file])
        return self.root / name

    def verify(self) -> None:
        """Check every file but the card and its pictures against the manifest.

        Raises:
            FileNotFoundError: a file is gone from the disk.
            WeightsError: a file is not the one the manifest describes.
        """
        for file, expected in self.files.items():
            if file != CARD and not file.startswith(f"{PICTURES}/"):
                _check(self.root / file, expected)


def verify_folder(root: Path) -> None:
    """Check a model folder by its manifest; one without is somebody's own and taken as it is.

    Raises:
        FileNotFoundError: a file is gone from the disk.
        WeightsError: the manifest cannot be read, or a file is not the one it describes.
    """
    if (root / MANIFEST).is_file():
        find_bundle(root.resolve()).verify()


def find_bundle(name: str | Path) -> Bundle:
    """The model folder of that name or path.

    Raises:
        FileNotFoundError: no folder, or no manifest in it.
        WeightsError: the manifest cannot be read.
    """
    root = HOME / name if (HOME / name).is_dir() else Path(name)
    manifest = root / MANIFEST
    if not manifest.is_file():
        shipped = sorted(p.parent.name for p in HOME.glob(f"*/{MANIFEST}"))
        raise FileNotFoundError(f"no model at {name!s}; shipped models: {', '.join(shipped)}")
    try:
        if manifest.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError("it is too large")
        entries = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        files = {file: BundleFile(**entry) for file, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{manifest} is not a model manifest: {error}") from error
    outside = [file for file in files if not _is_inside(file)]
    if outside:
        raise WeightsError(f"{manifest} names {outside[0]!r}, which is not inside its folder")
    return Bundle(root, files)


def write_manifest(root: Path, licences: dict[str, str], default: str = "CC0-1.0") -> Bundle:
    """Describe every file under `root`; a licence is looked up by the longest matching prefix."""
    files: dict[str, BundleFile] = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.name != MANIFEST):
        name = path.relative_to(root).as_posix()
        fitting = [prefix for prefix in licences if name.startswith(prefix)]
        licence = licences[max(fitting, key=len)] if fitting else default
        files[name] = BundleFile(sha256_of(path), path.stat().st_size, licence)
    text = json.dumps({"files": {n: asdict(f) for n, f in files.items()}}, indent=1)
    with atomic(root / MANIFEST) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return Bundle(root, files)


def renew_manifest(root: Path) -> Bundle:
    """Describe the card and pictures written since, after checking that all else is unchanged.

    Raises:
        FileNotFoundError: no manifest there, or a file is gone.
        WeightsError: a file other than the card and its pictures is not the one described.
    """
    bundle = find_bundle(root.resolve())
    bundle.verify()
    return write_manifest(root, {name: file.licence for name, file in bundle.files.items()})


def _is_inside(name: str) -> bool:
    """Is it a relative path with forward slashes that stays below its folder?"""
    parts = PurePosixPath(name).parts
    return bool(parts) and not ({"..", "/"} & set(parts)) and not re.search(r"[\\:\0]", name)


def _check(path: Path, expected: BundleFile) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing from the model folder: restore it")
    size = path.stat().st_size
    if size != expected.size:
        raise WeightsError(
            f"{path} has {size} bytes, its manifest says {expected.size}: it is cut off or another "
            "file; restore it"
        )
    if sha256_of(path) != expected.sha256:
        raise WeightsError(f"{path} is not the file its manifest describes: restore it")
