"""Feed-forward inversion: `load_encoder(source)` gives a callable from faces to W+."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from multimodal.devices import pick_device
from multimodal.files.variants import completed
from multimodal.generators.checkpoints import load_generator
from multimodal.inversion.encoders.encoder_files import (
    ENCODER_FILE,
    HYPER_FILE,
    is_hyperstyle,
    is_small_hyper,
    options_of,
    public_content,
    read_bundle_encoder,
    read_public,
)
from multimodal.inversion.encoders.face_encoder import FaceEncoder
from multimodal.types import Generator

GENERATOR = "generator.safetensors"
"""Beside our own encoders in a model's folder."""

BUNDLE = Path(__file__).resolve().parents[2] / "bundle"

REGISTRY: dict[str, Path] = {"default": BUNDLE / "default"}
"""Folders of encoders by name."""


def load_encoder(
    source: str | Path, device: str | torch.device = "auto", generator: Generator | None = None
) -> FaceEncoder:
    """Load an inversion encoder.

    Args:
        source: a name of `REGISTRY` ("default"), a public pSp, e4e, ReStyle or HyperStyle `.pt`,
            our `.safetensors` (JSON beside it), or a model folder, a variant's too.
        device: "auto" (cuda, mps, cpu) or a torch device.
        generator: what ReStyle passes draw with; default: the one inside the file or, for ours,
            beside it, if any.

    Returns:
        a callable: images `[B, 3, 256, 256]` in [-1, 1] -> w_plus `[B, L, 512]`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not an encoder; missing, extra or misshaped tensors are named.
    """
    where = pick_device(device)
    path = _resolve(source)
    if path.suffix == ".safetensors" and is_small_hyper(path):
        return _small_hyper(path, where, generator)
    if path.is_dir() or path.suffix == ".safetensors":
        bundle = read_bundle_encoder(path)
        encoder = FaceEncoder(bundle, passes=bundle.config.passes)
        folder = path if path.is_dir() else path.parent
        beside = folder / GENERATOR
        encoder.hyper = folder / HYPER_FILE if (folder / HYPER_FILE).is_file() else None
        if generator is None and encoder.sees_reconstruction and beside.is_file():
            generator = load_generator(beside, where)
    else:
        content = public_content(path)
        if is_hyperstyle(content):
            return _hyperstyle(path, content, where, generator)
        public = read_public(path, content)
        encoder = FaceEncoder(public.network, public.latent_avg, public.passes)
        if generator is None and encoder.sees_reconstruction and public.decoder:
            generator = _decoder(public.decoder, public.latent_avg, path, where)
    encoder.to(where)
    return encoder if generator is None else encoder.attach(generator)


def _resolve(source: str | Path) -> Path:
    path = REGISTRY.get(str(source), Path(source))
    if not path.exists():
        raise FileNotFoundError(
            f"no encoder {str(source)!r}: give a file, a folder, or one of {', '.join(REGISTRY)}"
        )
    return completed(path)


def _decoder(
    state: dict[str, Tensor], average: Tensor | None, path: Path, device: torch.device
) -> Generator:
    """The generator inside an encoder's file (rosinality's layout)."""
    from multimodal.generators.layout import build
    from multimodal.generators.rosinality import read_rosinality

    contents = {"g_ema": state, "latent_avg": average}
    return build(read_rosinality(contents, path.name), path.name).to(device)


def _small_hyper(path: Path, device: torch.device, generator: Generator | None) -> FaceEncoder:
    """Our own hypernetwork, with the encoder and the generator beside its file."""
    from multimodal.inversion.encoders import hyperstyle  # torchvision is slow to import
    from multimodal.inversion.encoders.small_hyper import read_small_hyper

    beside = path.parent / ENCODER_FILE
    drawn = path.parent / GENERATOR
    if generator is None and drawn.is_file():
        generator = load_generator(drawn, device)
    first = load_encoder(beside, device, generator) if beside.is_file() else None
    encoder = hyperstyle.HyperStyle(read_small_hyper(path), first, None).to(device)
    return encoder if generator is None else encoder.attach(generator)


def _hyperstyle(
    path: Path, content: Mapping[str, Any], device: torch.device, generator: Generator | None
) -> FaceEncoder:
    """A hypernetwork, with the first encoder beside its file and the generator inside it."""
    from multimodal.inversion.encoders import hyperstyle  # torchvision is slow to import

    state = {
        k: v
        for k, v in content["state_dict"].items()
        if isinstance(k, str) and isinstance(v, Tensor)
    }
    network = hyperstyle.read_network(state, options_of(content), path.name)
    decoder = {k.removeprefix("decoder."): v for k, v in state.items() if k.startswith("decoder.")}
    if generator is None and decoder:
        average = content.get("latent_avg")
        average = average if isinstance(average, Tensor) else None
        generator = _decoder(decoder, average, path, device)
    first = next((p for p in sorted(path.parent.glob("*w_encoder*.pt")) if p != path), None)
    beside = None if first is None else load_encoder(first, device)
    encoder = hyperstyle.HyperStyle(network, beside, None).to(device)
    if generator is not None:
        encoder.attach(generator)
    return encoder
