"""Train the bundle's inversion encoder to W+ through a frozen generator.

    python -m recipes.train_encoder --data renders/train --run runs/generator --out runs/encoder

e4e's plan (Tov et al. 2021): one w first, then per-row deltas kept small by a regulariser. A
quarter of every batch are drawn by the generator itself, so their codes are known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multimodal.devices import fast_autocast, fast_dtype
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.bundle_encoder import BundleEncoder
from recipes.data import Faces, index_batches
from recipes.loop import Average, Run, RunConfig, start


@dataclass(frozen=True)
class Weights:
    """Loss weights.

    Args:
        pixels: squared error of the reconstruction.
        perceptual: LPIPS (alex).
        identity: one minus identity cosine.
        code: squared error of the code where it is known.
        deltas: squared size of the per-row deltas (e4e, equation 5).
    """

    pixels: float = 1.0
    perceptual: float = 1.0
    identity: float = 0.1
    code: float = 0.05
    deltas: float = 2e-4


@torch.no_grad()
def drawn_batch(generator: StyleGAN2, count: int) -> tuple[Tensor, Tensor]:
    """Faces the generator draws with their codes: `[n, 3, R, R]`, `[n, L, D]`."""
    z = torch.randn(count, generator.config.z_dim, device=generator.device)
    w_plus = generator.mapping(z, truncation=float(np.random.uniform(0.6, 1.0)))
    return generator.synthesize(w_plus, noise="none").clamp(-1, 1), w_plus


def terms_of(
    generator: StyleGAN2,
    encoder: BundleEncoder,
    images: Tensor,
    known: Tensor | None,
    parts: tuple[Callable[..., Tensor], Callable[[Tensor], Tensor] | None],
    rule: Weights,
) -> dict[str, Tensor]:
    """Loss terms of one batch; the last `len(known)` pictures have known codes."""
    perceptual, identity = parts
    device = images.device.type
    with fast_autocast(device):
        w0, deltas = encoder.codes(images)
    w0, deltas = w0.float(), deltas.float()
    w_plus = w0[:, None] + deltas
    drawn = generator.synthesize(w_plus, noise="none")
    terms = {
        "pixels": (drawn - images).square().mean() * rule.pixels,
        "perceptual": perceptual(drawn, images).mean() * rule.perceptual,
        "deltas": deltas.square().sum(dim=(1, 2)).mean() * rule.deltas,
    }
    if known is not None:
        error = w_plus[-len(known) :] - known
        terms["code"] = error.square().mean() * rule.code
    if identity is not None:
        cosine = (identity(drawn) * identity(images)).sum(dim=1)
        terms["identity"] = (1 - cosine).mean() * rule.identity
    return terms


def train(
    run: Run,
    generator: StyleGAN2,
    encoder: BundleEncoder,
    faces: Faces,
    parts: tuple[Callable[..., Tensor], Callable[[Tensor], Tensor] | None],
    batch: int,
    lr: float,
    rule: Weights,
) -> None:
    """Train to the end of the run's steps or minutes."""
    device = run.fabric.device
    optimizer = torch.optim.Adam(encoder.parameters(), lr=lr, betas=(0.9, 0.99))
    average = Average(encoder, half_life=5000)
    named: dict[str, Any] = {"encoder": encoder, "average": average, "optimizer": optimizer}
    run.resume(named)
    batches = index_batches(len(faces), batch - batch // 4, run.config.seed + run.step)
    run.start_clock()
    for _ in run.steps(named, batch):
        mine, known = drawn_batch(generator, batch // 4)
        images = torch.cat([faces.batch(next(batches)).to(device), mine])
        terms = terms_of(generator, encoder, images, known, parts, rule)
        optimizer.zero_grad(set_to_none=True)
        run.fabric.backward(torch.stack(list(terms.values())).sum())
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        average.update(encoder, batch, run.images + 50_000)
        run.log({name: term.detach() for name, term in terms.items()})
        if run.step % (run.config.log_every * 4) == 0:
            with torch.no_grad():
                drawn = generator.synthesize(average.module(images[:8]), noise="none")
            run.log_images("inversions", _rows(images[:8], drawn))


def _rows(images: Tensor, drawn: Tensor) -> Tensor:
    from torchvision.utils import make_grid

    return make_grid(torch.cat([images, drawn.clamp(-1, 1)]), nrow=len(images))


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="shards or aligned photos")
    parser.add_argument("--generator", type=Path, required=True, help="a generator.safetensors")
    parser.add_argument("--run", type=Path, required=True, help="train_generator's folder")
    parser.add_argument("--identity", type=Path, help="identity network; default: dlib's")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from multimodal.dlib_resnet import load_dlib_face
    from multimodal.generators.checkpoints import load_generator
    from multimodal.identity import load_identity
    from multimodal.metrics import Lpips
    from recipes.checkpoint import load_run

    run = start(RunConfig(options.out, options.steps, options.minutes, options.seed))
    device = run.fabric.device
    generator = load_generator(options.generator, device, dtype=fast_dtype(device))
    encoder = load_run(options.run, device)[1].train().requires_grad_(True)
    identity = (
        load_identity(options.identity, device)
        if options.identity
        else load_dlib_face(device=device)
    )
    parts = (Lpips("alex").to(device), identity)
    faces = Faces(options.data, generator.resolution)
    train(run, generator, encoder, faces, parts, options.batch, options.lr, Weights())


if __name__ == "__main__":
    main()
