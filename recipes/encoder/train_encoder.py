"""Train the bundle's inversion encoder to W+ through a frozen generator.

    python -m recipes.encoder.train_encoder --data renders/pairs --out runs/encoder \
        --generator runs/mapping/generator.safetensors --start-from runs/generator

e4e's plan (Tov et al. 2021): one w first, then per-row deltas kept small by a regulariser; then
ReStyle's (Alaluf et al. 2021): look at the own reconstruction and correct. A quarter of every batch
are drawn by the generator itself, so their codes are known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multimodal.devices import fast_dtype
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from recipes.data import Faces, index_batches
from recipes.encoder.encoder_trunk import learning
from recipes.generator.looking import codes, drawn_by
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


@dataclass(frozen=True)
class Judges:
    """What measures a reconstruction.

    Args:
        perceptual: LPIPS of two batches, `[B]`.
        identity: unit identity vectors of pictures, or None.
    """

    perceptual: Callable[..., Tensor]
    identity: Callable[[Tensor], Tensor] | None


def correct(
    generator: StyleGAN2, encoder: BundleEncoder, images: Tensor, start: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """One pass: code `[B, L, D]`, its drawing `[B, 3, R, R]` and the rows' departures.

    Args:
        generator: draws.
        encoder: looks.
        images: `[B, 3, R, R]`.
        start: the code so far, or None in the first pass.
    """
    w0, deltas = codes(encoder, images, None if start is None else drawn_by(generator, start))
    w_plus = w0[:, None] + deltas
    w_plus = w_plus if start is None else start + w_plus
    return w_plus, generator.synthesize(w_plus, noise="none"), deltas


def terms_of(
    generator: StyleGAN2,
    encoder: BundleEncoder,
    images: Tensor,
    known: Tensor | None,
    judges: Judges,
    rule: Weights,
    passes: int = 1,
) -> dict[str, Tensor]:
    """Loss terms of one batch, summed over the passes (Alaluf et al. 2021, "ReStyle"); the last
    `len(known)` pictures have known codes."""
    terms: dict[str, Tensor] = {}
    w_plus = None
    for _ in range(passes):
        w_plus, drawn, deltas = correct(generator, encoder, images, w_plus)
        found = distances(images, drawn, judges, rule)
        found["deltas"] = deltas.square().sum(dim=(1, 2)).mean() * rule.deltas
        if known is not None:
            found["code"] = (w_plus[-len(known) :] - known).square().mean() * rule.code
        terms = {name: found[name] + terms.get(name, 0) for name in found}
        w_plus = w_plus.detach()
    return terms


def distances(images: Tensor, drawn: Tensor, judges: Judges, rule: Weights) -> dict[str, Tensor]:
    """How far drawings are from pictures, each weighted: pixels, LPIPS, identity."""
    terms = {
        "pixels": (drawn - images).square().mean() * rule.pixels,
        "perceptual": judges.perceptual(drawn, images).mean() * rule.perceptual,
    }
    if judges.identity is not None and rule.identity > 0:
        cosine = (judges.identity(drawn) * judges.identity(images)).sum(dim=1)
        terms["identity"] = (1 - cosine).mean() * rule.identity
    return terms


def train(
    run: Run,
    generator: StyleGAN2,
    encoder: BundleEncoder,
    faces: Faces,
    judges: Judges,
    batch: int,
    lr: float,
    rule: Weights,
) -> BundleEncoder:
    """Train to the end of the run's steps or minutes; returns the averaged encoder."""
    device, passes = run.fabric.device, encoder.config.passes
    optimizer = torch.optim.Adam(encoder.parameters(), lr=lr, betas=(0.9, 0.99))
    average = Average(encoder, half_life=2000)
    named: dict[str, Any] = {"encoder": encoder, "average": average, "optimizer": optimizer}
    run.resume(named)
    run.agree(encoder, average)
    seed = run.config.seed + run.step + 7919 * run.fabric.global_rank
    batches = index_batches(len(faces), batch - batch // 4, seed)
    run.start_clock()
    for _ in run.steps(named, batch):
        mine, known = drawn_batch(generator, batch // 4)
        images = torch.cat([faces.batch(next(batches)).to(device), mine])
        terms = terms_of(generator, encoder, images, known, judges, rule, passes)
        optimizer.zero_grad(set_to_none=True)
        run.fabric.backward(torch.stack(list(terms.values())).sum())
        run.average_gradients(encoder.parameters())
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        average.update(encoder, batch, run.images + 50_000)
        run.log({name: term.detach() for name, term in terms.items()})
        if run.step % (run.config.log_every * 4) == 0:
            run.log_images("inversions", _inversions(generator, average.module, images[:8]))
    return average.module  # type: ignore[return-value]


@torch.no_grad()
def _inversions(generator: StyleGAN2, encoder: Any, images: Tensor) -> Tensor:
    rows, w_plus = [images], None
    for _ in range(encoder.config.passes):
        w_plus, drawn, _ = correct(generator, encoder, images, w_plus)
        rows.append(drawn.clamp(-1, 1))
    from torchvision.utils import make_grid

    return make_grid(torch.cat(rows), nrow=len(images))


def begin(generator: StyleGAN2, config: BundleEncoderConfig, checkpoint: Path | None) -> Any:
    """The encoder to train: weights of `checkpoint` (a run's folder or a bundle's encoder file)
    where given, for as many passes as `config` asks."""
    from multimodal.inversion.encoders.encoder_files import read_bundle_encoder
    from recipes.checkpoint import load_run

    if checkpoint is None:
        encoder = BundleEncoder(config)
        encoder.w_avg.copy_(generator.w_avg.cpu())
    else:
        old = load_run(checkpoint)[1] if checkpoint.is_dir() else read_bundle_encoder(checkpoint)
        encoder = BundleEncoder(replace(old.config, passes=config.passes))
        encoder.load_state_dict(old.state_dict())
    return learning(encoder.to(generator.device))


def main() -> None:
    """Parse the command line and train."""
    options = _parser().parse_args()
    from multimodal.generators.checkpoints import load_stylegan2
    from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
    from multimodal.metrics import Lpips
    from multimodal.recognition.dlib_resnet import load_dlib_face
    from multimodal.recognition.identity import load_identity

    run = start(RunConfig(options.out, options.steps, options.minutes, options.seed))
    device = run.fabric.device
    generator = load_stylegan2(options.generator, device, dtype=fast_dtype(device))
    shape = BundleEncoderConfig(
        generator.num_layers,
        min(generator.resolution, 128),
        generator.style_dim,
        feedback=options.passes > 1,
        passes=options.passes,
    )
    encoder = begin(generator, shape, options.start_from)
    identity: Any = None
    if options.identity_weight > 0:
        identity = load_identity(options.identity, device) if options.identity else None
        identity = identity or load_dlib_face(device=device)
    judges = Judges(Lpips("alex").to(device), identity)
    faces = Faces(options.data, generator.resolution)
    rule = Weights(identity=options.identity_weight)
    trained = train(run, generator, encoder, faces, judges, options.batch, options.lr, rule)
    if run.fabric.is_global_zero:
        save_bundle_encoder(trained.cpu(), options.out / "encoder.safetensors")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="shards or aligned photos")
    parser.add_argument("--generator", type=Path, required=True, help="a generator.safetensors")
    parser.add_argument("--start-from", type=Path, help="train_generator's folder, or an encoder")
    parser.add_argument("--identity", type=Path, help="identity network; default: dlib's")
    parser.add_argument("--identity-weight", type=float, default=0.1, help="0: leave it out")
    parser.add_argument("--passes", type=int, default=2, help="looks at its own reconstruction")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    main()
