"""Train the bundled StyleGAN2 together with a first encoder.

    python -m recipes.train_generator --data renders/train --out runs/generator --resolution 128

Supervision first: an encoder maps each picture to one w, the generator draws it back (L1 + LPIPS),
a linear head reads the render's factors off w, and a discriminator sharpens the drawings. The
mapping network is then fitted to the codes by `recipes.fit_mapping`. Unpaired folders of aligned
photos work too: they simply have no factors to read.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.inversion.bundle_encoder import BundleEncoder, BundleEncoderConfig
from recipes.attributes import NAMES, attribute_matrix
from recipes.checkpoint import save_shapes
from recipes.data import Faces, index_batches
from recipes.discriminator import (
    Discriminator,
    discriminator_loss,
    generator_loss,
    r1_penalty,
)
from recipes.loop import Average, Run, RunConfig, start

CPU_CHANNELS = (256, 256, 256, 192, 128, 64, 32)
GPU_CHANNELS = (384, 384, 384, 384, 256, 128, 64)


@dataclass(frozen=True)
class Weights:
    """Loss weights and schedules.

    Args:
        pixels: L1.
        perceptual: LPIPS (alex).
        adversarial: non-saturating loss, from `adversarial_from` images on.
        adversarial_from: images seen before the discriminator speaks.
        r1: gradient penalty, every `r1_every` steps.
        r1_every: see above.
        factors: squared error of the factors read off w.
        size: pull of w towards the unit ball.
        jitter: standard deviation of the noise added to w, which keeps the space smooth.
    """

    pixels: float = 2.0
    perceptual: float = 1.0
    adversarial: float = 0.1
    adversarial_from: int = 60_000
    r1: float = 5.0
    r1_every: int = 16
    factors: float = 0.3
    size: float = 1e-3
    jitter: float = 0.05


@dataclass
class Parts:
    """Everything that learns."""

    generator: StyleGAN2
    encoder: BundleEncoder
    head: nn.Linear
    discriminator: Discriminator
    average: Average
    optimizer: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer

    def named(self) -> dict[str, Any]:
        """By the names used in checkpoints."""
        return dict(vars(self))


def build(
    resolution: int,
    channels: tuple[int, ...],
    lr: float,
    mapping_layers: int,
    encoder_resolution: int = 128,
    dtype: torch.dtype = torch.bfloat16,
) -> Parts:
    """Networks and optimisers at their starting point."""
    sides = int(np.log2(resolution)) - 1
    config = StyleGAN2Config(resolution, channels[:sides], mapping_layers=mapping_layers)
    generator = StyleGAN2(config, dtype).requires_grad_(True)
    shape = BundleEncoderConfig(max(2 * sides, 12), encoder_resolution, feedback=True)
    encoder = BundleEncoder(shape)
    head = nn.Linear(config.w_dim, len(NAMES))
    discriminator = Discriminator(resolution, channels[:sides], dtype)
    both = nn.ModuleDict({"generator": generator, "encoder": encoder})
    mine = [
        {"params": [*generator.synthesis.parameters()], "lr": lr},
        {"params": [*encoder.parameters(), *head.parameters()], "lr": lr / 2},
    ]
    return Parts(
        generator,
        encoder,
        head,
        discriminator,
        Average(both),
        torch.optim.Adam(mine, betas=(0.9, 0.99), fused=True),
        torch.optim.Adam(discriminator.parameters(), lr=lr, betas=(0.0, 0.99), fused=True),
    )


def codes(encoder: BundleEncoder, images: Tensor, dtype: torch.dtype) -> Tensor:
    """One w a picture, `[B, 512]` float32; the encoder runs in `dtype`."""
    with torch.autocast(images.device.type, dtype=dtype, enabled=dtype != torch.float32):
        return encoder.codes(images)[0].float()


@torch.no_grad()
def calibrate(parts: Parts, images: Tensor, spread: float = 0.7) -> None:
    """Scale the untrained encoder so that its codes differ between faces as styles expect."""
    w = codes(parts.encoder, images, parts.generator.dtype)
    parts.encoder.w0.weight.mul_(spread / float(w.std(dim=0).mean().clamp(min=1e-6)))


def reconstruct(parts: Parts, images: Tensor, jitter: float) -> tuple[Tensor, Tensor]:
    """Codes `[B, 512]` and drawings `[B, 3, R, R]` of the pictures."""
    w = codes(parts.encoder, images, parts.generator.dtype)
    noisy = w + jitter * torch.randn_like(w)
    w_plus = noisy.unsqueeze(1).expand(-1, parts.generator.num_layers, -1)
    return w, parts.generator.synthesize(w_plus, noise="none")


def generator_step(
    parts: Parts, run: Run, perceptual: Any, images: Tensor, factors: Tensor | None, rule: Weights
) -> tuple[Tensor, dict[str, Tensor]]:
    """One step of encoder and generator; returns the drawings and the loss terms."""
    w, drawn = reconstruct(parts, images, rule.jitter)
    terms = {
        "pixels": (drawn - images).abs().mean() * rule.pixels,
        "perceptual": _distance(perceptual, drawn, images) * rule.perceptual,
        "size": w.square().mean() * rule.size,
    }
    if factors is not None:
        terms["factors"] = (parts.head(w) - factors).square().mean() * rule.factors
    if run.images >= rule.adversarial_from:
        parts.discriminator.requires_grad_(False)
        terms["adversarial"] = generator_loss(parts.discriminator(drawn)) * rule.adversarial
        parts.discriminator.requires_grad_(True)
    parts.optimizer.zero_grad(set_to_none=True)
    run.fabric.backward(torch.stack(list(terms.values())).sum())
    _step(parts.optimizer)
    return drawn.detach(), terms


def _distance(perceptual: Any, drawn: Tensor, images: Tensor) -> Tensor:
    if drawn.shape[-1] < 64:  # too small for LPIPS' network
        drawn, images = (nn.functional.interpolate(x, scale_factor=2.0) for x in (drawn, images))
    with torch.autocast(drawn.device.type, dtype=torch.bfloat16):
        return perceptual(drawn, images).float().mean()


def discriminator_step(
    parts: Parts, run: Run, images: Tensor, drawn: Tensor, rule: Weights
) -> dict[str, Tensor]:
    """One step of the discriminator, with the lazy gradient penalty."""
    terms = {"critic": discriminator_loss(parts.discriminator(images), parts.discriminator(drawn))}
    if run.step % rule.r1_every == 0:
        some = images[: max(4, len(images) // 2)]
        terms["r1"] = r1_penalty(parts.discriminator, some) * rule.r1 / 2 * rule.r1_every
    parts.optimizer_d.zero_grad(set_to_none=True)
    run.fabric.backward(torch.stack(list(terms.values())).sum())
    _step(parts.optimizer_d)
    return terms


def _step(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                torch.nan_to_num_(parameter.grad, 0.0, 1e4, -1e4)
    optimizer.step()


def train(run: Run, parts: Parts, faces: Faces, perceptual: Any, batch: int, rule: Weights) -> None:
    """Train to the end of the run's steps or minutes."""
    device = run.fabric.device
    factors, batches = _look_again(run, faces, batch)
    both = nn.ModuleDict({"generator": parts.generator, "encoder": parts.encoder})
    probe = faces.batch(np.linspace(0, len(faces) - 1, 16).astype(int)).to(device)
    run.start_clock()
    for step in run.steps(parts.named(), batch):
        if step % 500 == 0:
            factors, batches = _look_again(run, faces, batch)
        index = next(batches)
        images = faces.batch(index).to(device)
        wanted = None if factors is None else factors[torch.from_numpy(index)]
        flip = wanted is None and step % 2 == 0
        images = images.flip(3) if flip else images
        drawn, terms = generator_step(parts, run, perceptual, images, wanted, rule)
        if run.images >= rule.adversarial_from * 0.9:
            terms |= discriminator_step(parts, run, images, drawn, rule)
        parts.average.update(both, batch * run.fabric.world_size, run.images)
        run.log({name: term.detach() for name, term in terms.items()})
        if step % (run.config.log_every * 4) == 0:
            run.log_images("reconstructions", _grid(parts, probe))


def _look_again(run: Run, faces: Faces, batch: int) -> tuple[Tensor | None, Any]:
    """Factors `[N, A]` (or None) and index batches over all pictures there are by now."""
    faces.refresh()
    rows = faces.column("factors") if faces.shards else []
    factors = torch.from_numpy(attribute_matrix(rows)).to(run.fabric.device) if rows else None
    seed = run.config.seed + 1000 * run.step + run.fabric.global_rank
    return factors, index_batches(len(faces), batch, seed)


@torch.no_grad()
def _grid(parts: Parts, probe: Tensor) -> Tensor:
    from torchvision.utils import make_grid

    nets: Any = parts.average.module
    w = codes(nets["encoder"], probe, parts.generator.dtype)
    w_plus = w.unsqueeze(1).expand(-1, parts.generator.num_layers, -1)
    drawn = nets["generator"].synthesize(w_plus, noise="none").clamp(-1, 1)
    rows = torch.stack([probe, drawn], dim=1).flatten(0, 1)
    return make_grid(rows, nrow=8)


def start_from(parts: Parts, checkpoint: Path) -> None:
    """Begin from a run at another resolution: every tensor whose key and shape fit is taken."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    for name in ("generator", "encoder", "head"):
        part = getattr(parts, name)
        mine = part.state_dict()
        fitting = {k: v for k, v in state[name].items() if k in mine and v.shape == mine[k].shape}
        part.load_state_dict(mine | fitting)
    both = nn.ModuleDict({"generator": parts.generator, "encoder": parts.encoder})
    parts.average.module.load_state_dict(both.state_dict())


def main() -> None:
    """Parse the command line and train."""
    options = _parser().parse_args()
    config = RunConfig(options.out, options.steps, options.minutes, options.seed)
    run = start(config)
    on_gpu = run.fabric.device.type == "cuda"
    channels: tuple[int, ...] = GPU_CHANNELS if on_gpu else CPU_CHANNELS
    channels = tuple(int(c) for c in options.channels.split(",")) if options.channels else channels
    depth, seen = options.mapping_layers, options.encoder_resolution or max(options.resolution, 64)
    parts = build(options.resolution, channels, options.lr, depth, min(seen, 128))
    for module in ("generator", "encoder", "head", "discriminator", "average"):
        getattr(parts, module).to(run.fabric.device)
    if run.fabric.is_global_zero:
        save_shapes(options.out, parts.generator, parts.encoder)
    if not run.resume(parts.named()) and options.start_from:
        start_from(parts, options.start_from)
    faces = Faces(options.data, options.resolution)
    if not run.step and not options.start_from:
        calibrate(parts, faces.batch(np.arange(min(64, len(faces)))).to(run.fabric.device))
    from multimodal.metrics import Lpips

    perceptual = Lpips("alex").to(run.fabric.device)
    rule = Weights(adversarial=options.adversarial, adversarial_from=options.adversarial_from)
    train(run, parts, faces, perceptual, options.batch, rule)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="shards or aligned photos")
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and logs")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--channels", default="", help="comma-separated, from 4 px up")
    parser.add_argument("--mapping-layers", type=int, default=8)
    parser.add_argument("--encoder-resolution", type=int, default=0, help="0: the pictures' own")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adversarial", type=float, default=0.1)
    parser.add_argument("--adversarial-from", type=int, default=60_000)
    parser.add_argument("--start-from", type=Path, help="checkpoint of another resolution")
    return parser


if __name__ == "__main__":
    main()
