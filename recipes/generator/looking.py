"""What the encoder makes of pictures while it is trained: at first sight, and at a second."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from multimodal.devices import fast_autocast
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder


def codes(
    encoder: BundleEncoder, images: Tensor, current: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """w `[B, 512]` and the rows' departures from it `[B, L, 512]`, float32; with what they drew so
    far, `current` `[B, 3, R, R]`, the correction of both."""
    with fast_autocast(images.device):
        w, deltas = encoder.codes(images, current)
    return w.float(), deltas.float()


@torch.no_grad()
def looked(encoder: BundleEncoder, draw: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Codes `[B, L, D]` of pictures `[B, 3, R, R]` in [-1, 1], by as many looks as the encoder
    takes; `draw` makes pictures of codes."""
    w, deltas = encoder.codes(pictures)
    w_plus = w[:, None] + deltas
    for _ in range(encoder.config.passes - 1):
        w, deltas = encoder.codes(pictures, draw(w_plus))
        w_plus = w_plus + w[:, None] + deltas
    return w_plus


def corrected(
    encoder: BundleEncoder, generator: StyleGAN2, images: Tensor
) -> tuple[Tensor, Tensor]:
    """As `codes`, of a second look at the pictures `[B, 3, R, R]` in [-1, 1] and at what the first
    look's codes drew; only the second learns."""
    with torch.no_grad():
        w, deltas = codes(encoder, images)
    drawn = drawn_by(generator, w.unsqueeze(1) + deltas[:, : generator.num_layers])
    more, further = codes(encoder, images, drawn)
    return w + more, deltas + further


@torch.no_grad()
def drawn_by(generator: StyleGAN2, w_plus: Tensor) -> Tensor:
    """What the encoder is shown of codes `[B, L, D]`: pictures `[B, 3, R, R]`, not clamped, as it
    sees them when it is used; nothing is learnt from how they are drawn."""
    return generator.synthesize(w_plus, noise="none")
