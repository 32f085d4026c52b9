"""Control over an edit: what it may touch, how far it goes, and where in the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.common import (
    apply_offset,
    draw,
    load_tensors,
    offset_styles,
    save_tensors,
    style_rows,
    styles_of,
)
from guidance.controls.layers import Layers, layer_mask
from multimodal.types import Generator, ImageEmbedder, Latent, Offset

ATTRIBUTES_NAME = "attributes.safetensors"
IDENTITY = "identity"
IDENTITY_FLOOR = 0.8


@dataclass(frozen=True)
class Attributes:
    """Named directions in W+, each `[L, D]`: one unit of strength moves its attribute clearly."""

    directions: Mapping[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.directions:
            raise ValueError(f"attribute {name!r} is not one of {sorted(self.directions)}")
        return self.directions[name]

    def offset(self, name: str) -> Offset:
        """The attribute's direction as an offset."""
        return Offset(w=self[name][None])

    def save(self, path: Path | str, about: Mapping[str, Any] | None = None) -> Path:
        """Write all directions as one `.safetensors` file."""
        return save_tensors(path, self.directions, {"kind": "attributes", **(about or {})})

    @classmethod
    def load(cls, path: Path | str) -> Attributes:
        """Read what `save` wrote; a folder means its `attributes.safetensors`."""
        path = Path(path) / ATTRIBUTES_NAME if Path(path).is_dir() else Path(path)
        tensors, about = load_tensors(path)
        if about.get("kind") != "attributes":
            raise ValueError(f"{path} does not hold attribute directions")
        return cls({k: v.float() for k, v in tensors.items()})


def restrict(offset: Offset, layers: Layers, rows: int) -> Offset:
    """An offset on chosen rows of W+ (and the styles they feed) only."""
    if layers is None:
        return offset
    mask = layer_mask(layers, rows)
    w = None if offset.w is None else offset.w * mask.to(offset.w)
    if offset.styles is None:
        return Offset(w, None, offset.meant)
    kept = [float(mask[0, row, 0]) for row in style_rows(len(offset.styles))]
    styles = tuple(s * k for s, k in zip(offset.styles, kept, strict=True))
    return Offset(w, styles, offset.meant)


def keep_attributes(
    generator: Generator, offset: Offset, directions: Sequence[Tensor], layers: Layers = None
) -> Offset:
    """The part of an offset at right angles to attribute directions (InterFaceGAN, equation 4, for
    any number of them at once).

    Args:
        generator: carries W+ directions over to S where the offset is there.
        offset: the edit.
        directions: each `[L, D]` in W+.
        layers: the rows that the edit is restricted to: the others stay as they are.
    """
    if not directions:
        return offset
    rows = generator.num_layers
    given = [restrict(Offset(w=d[None]), layers, rows) for d in directions]
    if offset.styles is None:
        assert offset.w is not None
        basis = [d.w.to(offset.w).flatten() for d in given if d.w is not None]
        w = reject(offset.w.flatten(), basis).view_as(offset.w)
        return Offset(w, None, offset.meant)
    own = offset_styles(generator, offset)
    total = [torch.stack(parts).sum(0) for parts in zip(*own, strict=True)]
    basis = [torch.cat(_w_styles(generator, d, total), dim=1)[0] for d in given]
    flat = reject(torch.cat(total, dim=1)[0], basis)
    styles = tuple(flat[None].split([t.shape[1] for t in total], dim=1))
    return Offset(None, styles, offset.meant)


def _w_styles(generator: Generator, direction: Offset, like: Sequence[Tensor]) -> list[Tensor]:
    """A W+ direction in S, without the styles (toRGB) that the offset leaves alone."""
    moved = offset_styles(generator, direction.to(generator.device))[0]
    pairs = zip(moved, like, strict=True)
    return [m if bool(t.any()) else torch.zeros_like(m) for m, t in pairs]


def reject(vector: Tensor, basis: Sequence[Tensor]) -> Tensor:
    """The part of a vector `[N]` at right angles to others `[N]`, however many and dependent."""
    # On the CPU, for not every device has float64. Left singular vectors, since among dependent
    # or empty directions those of a QR would point anywhere; below 1e-6 lies float32's rounding.
    u, sizes, _ = torch.linalg.svd(
        torch.stack(list(basis), dim=1).cpu().double(), full_matrices=False
    )
    u = u[:, sizes > 1e-6 * sizes.max().clamp(min=1e-12)]
    flat = vector.cpu().double()
    return (flat - u @ (u.T @ flat)).to(vector)


@torch.no_grad()
def identity_limit(
    generator: Generator,
    latent: Latent,
    offset: Offset,
    strength: float,
    identity: ImageEmbedder,
    floor: float = IDENTITY_FLOOR,
    looks: int = 5,
) -> float:
    """The largest share of `strength` (by bisection) at which the person is still recognised.

    Args:
        generator: draws.
        latent: the face.
        offset: the edit.
        strength: wanted.
        identity: pictures to unit identity vectors.
        floor: least cosine to the original.
        looks: bisections, one synthesis each.
    """
    before = identity(draw(generator, latent))

    def cosine(share: float) -> float:
        image = draw(generator, apply_offset(generator, latent, offset, share * strength))
        return float((identity(image) * before).sum())

    if strength == 0 or cosine(1.0) >= floor:
        return strength
    low, high = 0.0, 1.0
    for _ in range(looks):
        middle = (low + high) / 2
        low, high = (middle, high) if cosine(middle) >= floor else (low, middle)
    return low * strength


@torch.no_grad()
def blend(generator: Generator, before: Latent, parts: Sequence[tuple[Latent, Tensor]]) -> Tensor:
    """Edited pictures inside their masks and the original outside, blended in every layer's
    features so that no seam shows (Jakoel et al. 2022, and Bau et al. 2020, "GAN Dissection").

    Args:
        generator: one with an `on_features` hook (ours).
        before: the original, batch 1.
        parts: each an edit, batch 1, and its mask `[1, 1, H, W]` in [0, 1], 1 where it shows; later
            ones lie over earlier ones.

    Returns:
        `[1, 3, H, W]`.
    """
    latents = [before, *(after for after, _ in parts)]
    styles = [
        torch.cat(each) for each in zip(*(styles_of(generator, x) for x in latents), strict=True)
    ]
    masks = torch.cat([mask.to(generator.device) for _, mask in parts])

    def on_features(index: int, features: Tensor) -> Tensor:
        here = F.interpolate(masks, features.shape[2:], mode="area").to(features.dtype)
        return torch.cat([features[:1], torch.lerp(features[:1], features[1:], here)])

    noise: Any = "const" if before.noise is None else before.noise
    drawn: Any = generator
    out, *edited = drawn.synthesize_styles(styles, noise=noise, on_features=on_features).split(1)
    if masks.shape[2:] != out.shape[2:]:
        masks = F.interpolate(masks, out.shape[2:], mode="bilinear", antialias=True)
    for picture, mask in zip(edited, masks.split(1), strict=True):
        out = torch.lerp(out, picture, mask)
    return out
