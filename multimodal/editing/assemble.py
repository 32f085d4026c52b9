"""Puts the concrete parts of a model together: what `FaceEditor.from_pretrained` does.

The one file of the core that knows every network. Parts that a model lacks are left out; whoever
needs one later says so. A shipped model's files are checked against its manifest first. What takes
long to load and is not needed to look at a face (CLIP, LPIPS) is loaded when it is first used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from multimodal.devices import pick_device
from multimodal.faces import FaceAligner
from multimodal.files.bundled import HOME, MANIFEST, verify_folder
from multimodal.files.lazy import Lazy
from multimodal.files.lpips_weights import lpips_backbone
from multimodal.files.variants import DIFFERENCE, VARIANT, completed, is_variant
from multimodal.files.weights import cache_dir
from multimodal.generators import load_generator
from multimodal.generators.photo_codes import PhotoCodes, load_photo_codes
from multimodal.inversion import FaceEncoder, load_encoder
from multimodal.inversion.objective import local_lpips
from multimodal.types import (
    ClipModel,
    Generator,
    ImageDistance,
    ImageEmbedder,
    Offset,
    RegionParser,
    SoundEmbedder,
    Toolkit,
)

ENCODER, CLIP, IDENTITY = "encoder.safetensors", "clip", "identity.safetensors"
SOUND = "sound"
TINY = "tiny"


@dataclass(frozen=True)
class Parts:
    """What `multimodal.editing.editor.FaceEditor` is made of; each field an argument of it."""

    toolkit: Toolkit
    encoder: FaceEncoder | None
    aligner: FaceAligner
    directions: Mapping[str, Offset]
    name: str
    photographs: PhotoCodes | None


class NoClip:
    """Stands where a model has no CLIP; says so when it is asked for something."""

    dim = 0
    device = torch.device("cpu")

    def encode_image(self, images: Tensor) -> Tensor:
        """Always raises `ValueError`."""
        raise ValueError(_NO_CLIP)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Always raises `ValueError`."""
        raise ValueError(_NO_CLIP)


_NO_CLIP = "this model has no CLIP: name one, for example clip='ViT-B-32/openai'"


def assemble(
    name: str | Path = "default",
    device: str | torch.device = "auto",
    *,
    encoder: str | Path | None = None,
    clip: str | Path | None = None,
    identity: str | Path | None = None,
    dtype: torch.dtype = torch.float32,
) -> Parts:
    """What an editor of a named or stored model is made of.

    Args:
        name: a model folder or its name ("default"), a generator's name ("tiny", "ffhq-256", ...),
            or a generator file.
        device: "auto" (cuda, mps, cpu) or a torch device.
        encoder: an encoder file, where it is not the model's own (`e4e_ffhq_encode.pt`).
        clip: an open_clip folder or "architecture/weights", where it is not the model's own.
        identity: an identity network (ArcFace's `model_ir_se50.pth`), where it is not the model's.
        dtype: of the generator's features, float32 or bfloat16.

    Raises:
        FileNotFoundError: no such model or file.
        ValueError: a file that cannot be used, or is not the one the model's manifest describes;
            says why.
    """
    where = pick_device(device)
    folder = model_folder(name)
    home = folder or _lender(name)
    verify_folder(home)
    generator = load_generator(folder or name, where, dtype)
    seeing = _clip(clip, name, home, where)
    kept = own_folder(name, clip)
    reader = _encoder(encoder, folder, generator, where)
    toolkit = Toolkit(
        generator=generator,
        clip=seeing,
        identity=_identity(identity, name, home, where),
        lpips=_lpips(where),
        sound=_sound(name, home, seeing, kept if clip else None, where),
        folder=folder if folder and not clip else kept,
        own=kept if (folder or kept).joinpath(MANIFEST).is_file() else None,
        parser=_parser(home, where),
        encoder=reader,
    )
    return Parts(
        toolkit=toolkit,
        encoder=reader,
        aligner=FaceAligner(),
        directions=_directions([folder, own_folder(name), kept], generator),
        name=str(name),
        photographs=None if folder is None else load_photo_codes(folder, generator),
    )


def model_folder(name: str | Path) -> Path | None:
    """The folder of a complete model, or None for a generator alone; a variant's is in the cache,
    put together there when it is first asked for."""
    for folder in (HOME / str(name), Path(name)):
        if is_variant(folder) or (folder / "generator.safetensors").is_file():
            return completed(folder)
    return None


def _encoder(
    source: str | Path | None, folder: Path | None, generator: Generator, device: torch.device
) -> FaceEncoder | None:
    own = None if folder is None else folder / ENCODER
    if source is None and own is not None and own.is_file():
        source = own
    return None if source is None else load_encoder(source, device, generator)


def _is_tiny(name: str | Path) -> bool:
    """Whether this is a network made in memory for trials."""
    return str(name) == TINY or str(name).startswith(f"{TINY}-")


def _lender(name: str | Path) -> Path:
    """The folder whose CLIP, ears and identity a generator without its own folder borrows; the
    tiny model borrows nothing, so that it is the same everywhere."""
    return HOME / (TINY if _is_tiny(name) else "default")


def _clip(
    source: str | Path | None, name: str | Path, home: Path, device: torch.device
) -> ClipModel:
    if source is None and _is_tiny(name):
        from guidance.clip import random_clip

        return random_clip().to(device)
    if source is None and not (home / CLIP).is_dir():
        return NoClip()
    from guidance.clip import load_clip, read_config

    if source is not None and not Path(source).is_dir():
        return load_clip(source, device)
    folder = home / CLIP if source is None else Path(source)
    read_config(folder)  # a wrong folder is told now, not at the first edit
    seeing: Any = Lazy(lambda: load_clip(folder, device))
    return seeing


def _identity(
    source: str | Path | None, name: str | Path, home: Path, device: torch.device
) -> ImageEmbedder | None:
    if source is None and (home / IDENTITY).is_file():
        source = home / IDENTITY
    if source is None and _is_tiny(name):
        return None
    if source is None:
        from multimodal.recognition.dlib_resnet import load_dlib_face

        return load_dlib_face(device=device)
    from multimodal.recognition.identity import load_identity

    return load_identity(source, device)


def _parser(home: Path, device: torch.device) -> RegionParser | None:
    """The model's parser of faces, loaded at its first use; the tiny model has none."""
    from multimodal.parsing import PARSER_FILE, load_parser

    path = home / PARSER_FILE
    seeing: Any = Lazy(lambda: load_parser(path, device))
    return seeing if path.is_file() else None


def _sound(
    name: str | Path, home: Path, clip: ClipModel, kept: Path | None, device: torch.device
) -> SoundEmbedder | None:
    """The model's ears; the tiny model gets seeded random ones, a model without CLIP none.

    Ears lead to the CLIP they were made for, the folder's own: by an adapter beside the ears, else
    as that CLIP projects sentences. Any other CLIP needs an adapter of its own, in the folder
    `kept` for that CLIP or beside the ears.
    """
    if isinstance(clip, NoClip):
        return None
    from audio.alignment import OWN_CLIP, adapter_target
    from audio.alignment import SoundEmbedder as Ears

    if _is_tiny(name):
        return _random_ears(clip, device)
    if not (home / SOUND).is_dir():
        return None
    if kept is not None:
        known = {folder: adapter_target(folder) for folder in (kept, home / SOUND)}
        adapters = [folder for folder, clip_ in known.items() if clip_ not in (None, OWN_CLIP)]
        return Ears.from_dir(home / SOUND, None, device, adapters[0]) if adapters else None
    seeing: Any = clip  # asked for its projection when a sound comes, not before
    sentences = SimpleNamespace(project_sentence=lambda v: seeing.project_sentence(v))
    return Ears.from_dir(home / SOUND, sentences, device)


def _random_ears(clip: ClipModel, device: torch.device) -> SoundEmbedder:
    from audio.alignment import Adapter
    from audio.alignment import SoundEmbedder as Ears
    from audio.encoder import SoundConfig, SoundEncoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = SoundEncoder(SoundConfig(8, (8, 8, 8), (1, 1, 1), hidden=16, heads=2))
        adapter = Adapter(encoder.config.dim, clip.dim)
    encoder.to(device).eval().requires_grad_(False)
    return Ears(encoder, adapter.to(device).eval().requires_grad_(False))


def _lpips(device: torch.device) -> ImageDistance | None:
    try:
        lpips_backbone("alex", download=False)
    except ValueError:
        return None
    if find_spec("lpips") is None:
        return None
    return Lazy(lambda: local_lpips("alex", device))


def _directions(folders: Sequence[Path | None], generator: Generator) -> Mapping[str, Offset]:
    """Named directions, then unnamed ones, of all these folders; the later ones win."""
    from guidance.controls.channels import FILE_NAME, Channels
    from guidance.controls.components import FILES, Components
    from guidance.controls.control import ATTRIBUTES_NAME, Attributes

    found: dict[str, Offset] = {}
    places = [folder for folder in folders if folder is not None]
    for folder in places:
        if (folder / ATTRIBUTES_NAME).is_file():
            known = Attributes.load(folder)
            found |= {name: known.offset(name) for name in known.directions}
    for folder in places:
        for kind in [kind for kind, file in FILES.items() if (folder / file).is_file()]:
            found |= Components.load(folder, kind).offsets(generator.num_layers)
        if (folder / FILE_NAME).is_file():
            found |= Channels.load(folder).offsets()
    return {name: offset.to(generator.device) for name, offset in found.items()}


def own_folder(name: str | Path, clip: str | Path | None = None) -> Path:
    """Where what is measured for a model is kept, apart from the model's own files: in the cache,
    one folder for each generator and CLIP, so that statistics of one never serve another.

    Args:
        name: as in `assemble`.
        clip: the CLIP given instead of the model's own, or None.
    """
    label = Path(name).stem + _stamp(name)
    if clip is not None:
        stamp = _stamp(clip)
        called = Path(clip).resolve().name if stamp else str(clip)
        label += "+" + re.sub(r"[^A-Za-z0-9.]+", "-", called).strip("-") + stamp
    return cache_dir() / "models" / label


def _stamp(source: str | Path) -> str:
    """What tells a file or folder from another of its name and from an older state of itself;
    empty where there is none. A folder's state is that of its weights: others join them later."""
    from guidance.clip import WEIGHTS_NAME

    path = Path(source)
    if not path.exists():
        return ""
    inside = (path / name for name in ("generator.safetensors", WEIGHTS_NAME, DIFFERENCE, VARIANT))
    known = f"{path.resolve()}"
    for weights in (path, *inside):
        if weights.is_file():
            known += f" {weights.stat().st_size} {weights.stat().st_mtime_ns}"
    return f"-{hashlib.sha256(known.encode()).hexdigest()[:8]}"
