"""The generators that can be named instead of given as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from multimodal.generators.families.catalogue import FAMILIES, find_family
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config

if TYPE_CHECKING:
    from multimodal.generators.families.base import Network

BUNDLE = Path(__file__).resolve().parents[1] / "bundle"
NGC = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files"
ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained"
HUB = "https://huggingface.co"
TINY_SEED = 0


@dataclass(frozen=True)
class ModelSpec:
    """A generator with a name.

    Args:
        name: what the person types.
        about: one line for lists.
        url: where its file is downloaded from, or None for one that needs no download.
        sha256: of that file; None where no trusted source publishes it (the download is then
            recorded, not verified; the reader executes nothing in either case).
        folder: a model folder of the package, or None.
        licence: under which terms it may be used.
    """

    name: str
    about: str
    url: str | None = None
    sha256: str | None = None
    folder: Path | None = None
    licence: str = "Apache-2.0"


_NVIDIA = "NVIDIA Source Code License (non-commercial)"
_FFHQ = "photographed faces (FFHQ)"

MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            "default", "renders and photographs, shipped with Semblance", folder=BUNDLE / "default"
        ),
        ModelSpec(
            "tiny", "seeded random weights, 32 px: draws no faces, proves that everything runs"
        ),
        *(
            ModelSpec(f"tiny-{family.name}", f"the same for {family.about}")
            for family in FAMILIES.values()
        ),
        ModelSpec(
            "ffhq-256",
            f"{_FFHQ}, 256 px, NVIDIA NGC",
            f"{NGC}/stylegan2-ffhq-256x256.pkl",
            licence=_NVIDIA,
        ),
        ModelSpec(
            "ffhq-512",
            f"{_FFHQ}, 512 px, NVIDIA NGC",
            f"{NGC}/stylegan2-ffhq-512x512.pkl",
            licence=_NVIDIA,
        ),
        ModelSpec(
            "ffhq-1024",
            f"{_FFHQ}, 1024 px, NVIDIA NGC",
            f"{NGC}/stylegan2-ffhq-1024x1024.pkl",
            licence=_NVIDIA,
        ),
        ModelSpec(
            "ffhq-ada",
            f"{_FFHQ}, 1024 px, stylegan2-ada-pytorch",
            f"{ADA}/ffhq.pkl",
            licence=_NVIDIA,
        ),
        ModelSpec(
            "ffhq-config-f",
            f"{_FFHQ}, 1024 px, rosinality layout (the one e4e, pSp and StyleCLIP were trained on)",
            f"{HUB}/akhaliq/jojogan-stylegan2-ffhq-config-f/resolve/main/stylegan2-ffhq-config-f.pt",
            licence=_NVIDIA,
        ),
    )
}
"""Every named generator, in the order of lists."""


def find_model(name: str) -> ModelSpec:
    """The model of that name.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    if name not in MODELS:
        raise ValueError(f"model {name!r} is not one of {', '.join(MODELS)}")
    return MODELS[name]


def made_in_memory(name: str, seed: int = TINY_SEED) -> StyleGAN2 | Network:
    """The small network "tiny", or "tiny-" and a family's name, with seeded random weights."""
    if name == "tiny":
        return tiny_generator(seed)
    from multimodal.generators.families.base import new_network

    kind = find_family(name.removeprefix("tiny-")).network()
    return new_network(kind, kind.tiny(), seed)


def tiny_generator(seed: int = TINY_SEED) -> StyleGAN2:
    """A 32 px StyleGAN2 with seeded random weights: the real network, in milliseconds.

    Args:
        seed: of the weights.
    """
    config = StyleGAN2Config(
        resolution=32, channels=(32, 32, 16, 16), z_dim=32, w_dim=32, mapping_layers=2
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = StyleGAN2(config).eval().requires_grad_(False)
        for conv in model.synthesis.conv_layers():
            conv.noise_strength.fill_(0.05)
        for block in model.synthesis.blocks:
            block.torgb.weight.mul_(0.25)
        model.w_avg.copy_(model.mapping(torch.randn(1024, config.z_dim))[:, 0].mean(0))
    return model
