"""Train the bundled StyleGAN2 together with its encoder and the directions of its factors.

    python -m recipes.generator.train_generator --data renders/pairs --out runs/generator

Supervision first: an encoder maps each picture to W+, the generator draws it back (L1 + LPIPS), and
the render's factors must be the code's coordinates along one direction each. Where the renders come
in pairs (`--vary pair`), the known change of factors is a step along these directions, and the
generator must draw the second picture from the first one's moved code: editing is trained, not
hoped for. A discriminator on the LPIPS network's features (Sauer et al. 2021, "Projected GANs")
sharpens late. `recipes.generator.fit_mapping` then fits the mapping network to the codes. Unpaired
folders of aligned photos work too: they simply have no factors to read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from guidance.clip import load_clip
from multimodal.devices import fast_dtype
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.inversion.encoders import bundle_encoder
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.recognition.dlib_resnet import load_dlib_face
from recipes.checkpoint import load_shipped, save_shapes
from recipes.encoder.encoder_trunk import new_encoder, take_trunk
from recipes.factors.attributes import NAMES
from recipes.generator import settling
from recipes.generator.critic import Critic, LpipsFeatures, critic_loss, deceive_loss
from recipes.generator.factor_code import FactorCode
from recipes.generator.generator_losses import (
    Viewer,
    Weights,
    attention,
    face,
    factor_weights,
    likeness,
    recognition,
)
from recipes.generator.growth import grown
from recipes.generator.looking import codes, corrected
from recipes.generator.pairs import FaceBatch, FaceBatches, MixedBatches
from recipes.loop import Average, Run, RunConfig, start

CPU_CHANNELS = (256, 256, 192, 96, 48, 32, 16)
GPU_CHANNELS = (384, 384, 384, 384, 256, 128, 64)
STEEPEST = 0.5
"""Gradient norm of a group of weights above which it is scaled down: one odd batch must not throw
everything away."""
EQUALISED = 5.0
"""Rate of the generator's weights as a multiple of the others'. They are used at a twentieth to a
fiftieth of what is stored: rates that adversaries bear are far too low where a picture says what is
wanted."""
WARM_UP = 200
"""Steps over which the rates rise."""
COOLEST = 0.1
"""What they fall to at the end (`settling.cool_down`)."""
LOOK_EVERY = 200
"""Steps between looks for new shards: rendering may go on beside."""
MODULES = ("generator", "encoder", "edits", "critic")


@dataclass
class Parts:
    """Everything that learns."""

    generator: StyleGAN2
    encoder: BundleEncoder
    edits: FactorCode
    critic: Critic
    average: Average
    optimizer: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer

    def named(self) -> dict[str, Any]:
        """By the names used in checkpoints."""
        return dict(vars(self))

    def trio(self) -> nn.ModuleDict:
        """What is shipped, and so averaged."""
        return nn.ModuleDict(
            {"generator": self.generator, "encoder": self.encoder, "edits": self.edits}
        )


def build(
    resolution: int,
    channels: tuple[int, ...],
    lr: float,
    mapping_layers: int,
    encoder: BundleEncoderConfig,
    dtype: torch.dtype = torch.float32,
) -> Parts:
    """Networks and optimisers at their starting point."""
    sides = int(np.log2(resolution)) - 1
    config = StyleGAN2Config(resolution, channels[:sides], mapping_layers=mapping_layers)
    generator = StyleGAN2(config, dtype).requires_grad_(True)
    encoding = new_encoder(encoder)
    edits = FactorCode(config.w_dim, len(NAMES))
    critic = Critic()
    trunk = [] if encoding.trunk is None else [*encoding.trunk.network.parameters()]
    known = {id(p) for p in trunk}
    drawing = dict(generator.synthesis.named_parameters())
    mine = [
        {"params": [p for n, p in drawing.items() if n.endswith("weight")], "lr": lr * EQUALISED},
        {"params": [p for n, p in drawing.items() if not n.endswith("weight")], "lr": lr},
        {"params": [*edits.parameters()], "lr": lr / 2},
        {"params": [p for p in encoding.parameters() if id(p) not in known], "lr": lr / 2},
        {"params": [p for p in trunk if p.requires_grad], "lr": lr / 8},
    ]
    mine = [group for group in mine if group["params"]]
    shipped = nn.ModuleDict({"generator": generator, "encoder": encoding, "edits": edits})
    return Parts(
        generator,
        encoding,
        edits,
        critic,
        Average(shipped, half_life=6000),
        torch.optim.Adam(mine, betas=(0.9, 0.99), fused=True),
        torch.optim.Adam(critic.parameters(), lr=lr / 2, betas=(0.0, 0.99), fused=True),
    )


@torch.no_grad()
def calibrate(parts: Parts, images: Tensor, spread: float = 0.7) -> None:
    """Scale the untrained encoder so that its codes differ between faces as styles expect."""
    w, _ = codes(parts.encoder, images)
    parts.encoder.w0.weight.mul_(spread / float(w.std(dim=0).mean().clamp(min=1e-6)))


@dataclass(frozen=True)
class Judges:
    """Frozen parts that say how good a drawing is.

    Args:
        features: of LPIPS.
        factors: weights of the factors' errors, `[A]`.
        recognition: a CLIP's, or None.
        likeness: an identity network's, or None.
    """

    features: LpipsFeatures
    factors: Tensor
    recognition: Viewer | None = None
    likeness: Viewer | None = None

    @classmethod
    def of(
        cls, batches: FaceBatches, clip: Path | None, alike: bool, device: torch.device
    ) -> Judges:
        """The judges of a training: on its faces' factors, with a CLIP's folder or without, and
        with dlib's identity network or without."""
        factors = factor_weights(batches.vectors).to(device)
        eyes = None if clip is None else recognition(load_clip(clip, device))
        memory = likeness(load_dlib_face(device=device)) if alike else None
        return cls(LpipsFeatures().to(device), factors, eyes, memory)


@dataclass(frozen=True)
class Drawing:
    """What one batch gave.

    Args:
        w: `[B, 512]`.
        read: factors read off w `[B, A]`.
        deltas: the used departures of the rows `[B, L, 512]`.
        images: drawings of the batch's pictures, then of the edited ones.
    """

    w: Tensor
    read: Tensor
    deltas: Tensor
    images: Tensor


def reconstruct(parts: Parts, batch: FaceBatch, rule: Weights) -> Drawing:
    """Encode the pictures, set some codes' factors right, draw, and draw the edited ones."""
    again = float(torch.rand(())) < rule.again
    if again:
        w, deltas = corrected(parts.encoder, parts.generator, batch.images)
    else:
        w, deltas = codes(parts.encoder, batch.images)
    read, rows, device = parts.edits.read(w), parts.generator.num_layers, w.device
    deltas = deltas[:, :rows] * (torch.rand(len(w), 1, 1, device=device) >= rule.plain)
    used = w + rule.jitter * torch.randn_like(w)
    if batch.factors is not None:
        told = torch.rand(len(w), 1, device=device) < rule.told
        used = used + parts.edits((batch.factors - read) * told)
    w_plus = used.unsqueeze(1) + deltas
    if batch.change is not None:
        w_plus = torch.cat([w_plus, w_plus + parts.edits(batch.change).unsqueeze(1)])
    return Drawing(w, read, deltas, parts.generator.synthesize(w_plus, noise="none"))


def generator_step(
    parts: Parts, run: Run, judges: Judges, batch: FaceBatch, rule: Weights
) -> dict[str, Tensor]:
    """One step of encoder, directions and generator, and of the critic; returns the loss terms."""
    made, features = reconstruct(parts, batch, rule), judges.features
    images = batch.images if batch.edited is None else torch.cat([batch.images, batch.edited])
    with torch.no_grad():
        real = features(images)
    fake = features(made.images)
    closer = face(made.images), face(images)
    terms = {
        "pixels": ((made.images - images).abs() * attention(batch, rule)).mean() * rule.pixels,
        "perceptual": features.distance(fake, real) * rule.perceptual,
        "closely": features.distance(*map(features, closer)) * rule.closely,
        "size": made.w.square().mean() * rule.size,
        "deltas": made.deltas.square().mean() * rule.deltas,
    }
    if batch.factors is not None:
        errors = (made.read - batch.factors).square() * judges.factors
        terms["factors"] = errors.mean() * rule.factors
    if judges.recognition is not None:
        terms["recognised"] = judges.recognition(made.images, images) * rule.recognised
    if judges.likeness is not None:
        terms["alike"] = judges.likeness(made.images, images) * rule.alike
    judged = rule.adversarial > 0 and run.images >= rule.adversarial_from
    if judged:
        terms["adversarial"] = deceive_loss(parts.critic, fake) * rule.adversarial
    parts.optimizer.zero_grad(set_to_none=True)
    run.fabric.backward(torch.stack(list(terms.values())).sum())
    _step(run, parts.optimizer)
    if rule.adversarial > 0 and run.images >= rule.adversarial_from * 0.9:
        terms["critic"] = _critic_step(parts, run, [f.detach() for f in fake], real)
    return terms


def _critic_step(parts: Parts, run: Run, fake: list[Tensor], real: list[Tensor]) -> Tensor:
    loss = critic_loss(parts.critic, fake, real)
    parts.optimizer_d.zero_grad(set_to_none=True)
    run.fabric.backward(loss)
    _step(run, parts.optimizer_d)
    return loss


def _step(run: Run, optimizer: torch.optim.Optimizer) -> None:
    run.average_gradients(p for group in optimizer.param_groups for p in group["params"])
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                torch.nan_to_num_(parameter.grad, 0.0, 1e4, -1e4)
        torch.nn.utils.clip_grad_norm_(group["params"], STEEPEST)
    optimizer.step()


def train(
    run: Run,
    parts: Parts,
    batches: FaceBatches,
    judges: Judges,
    rule: Weights,
    mixed: MixedBatches | None = None,
    cool_down: float = settling.LAST,
) -> None:
    """Train to the end of the run's steps or minutes, on `batches` or, where given, on `mixed`;
    rates fall over the last `cool_down` of it."""
    source: Iterator[FaceBatch] = iter(mixed or batches)
    probe = batches.faces.batch(np.linspace(0, len(batches.faces) - 1, 16).astype(int))
    shipped, size = parts.trio(), batches.batch * (2 if batches.paired else 1)
    run.start_clock()
    for step in run.steps(parts.named(), size):
        if step % LOOK_EVERY == 0:
            batches.refresh(run.config.seed + 1000 * step + run.fabric.global_rank)
        _set_rates(parts, step, run.share_done(), cool_down)
        terms = generator_step(parts, run, judges, next(source), rule)
        parts.average.update(shipped, size * run.fabric.world_size, run.images)
        run.log({name: term.detach() for name, term in terms.items()})
        if step % (run.config.log_every * 4) == 0:
            run.log_images("reconstructions", _grid(parts, probe.to(run.fabric.device)))


def _set_rates(parts: Parts, step: int, done: float, cool_down: float) -> None:
    """Raise the rates over the first steps: Adam knows no scales yet, and weights that begin from
    another run would be thrown far away. Let them fall towards the end: high ones shake."""
    share = min(1.0, (step + 1) / WARM_UP, max(COOLEST, (1 - done) / cool_down))
    for optimizer in (parts.optimizer, parts.optimizer_d):
        for group in optimizer.param_groups:
            full = group.setdefault("full_lr", group["lr"])
            group["lr"] = full * share


@torch.no_grad()
def _grid(parts: Parts, probe: Tensor) -> Tensor:
    from torchvision.utils import make_grid

    nets: Any = parts.average.module
    w, deltas = codes(nets["encoder"], probe)
    w_plus = w.unsqueeze(1) + deltas[:, : parts.generator.num_layers]
    drawn = nets["generator"].synthesize(w_plus, noise="none").clamp(-1, 1)
    rows = torch.stack([probe, drawn], dim=1).flatten(0, 1)
    return make_grid(rows, nrow=8)


def start_from(parts: Parts, source: Path) -> None:
    """Begin from a checkpoint, of another resolution or width perhaps, or from a model folder: see
    `recipes.generator.growth`."""
    shipped = source.is_dir()
    state = load_shipped(source) if shipped else torch.load(source, "cpu", weights_only=True)
    for name in MODULES:
        part = getattr(parts, name)
        part.load_state_dict(grown(part.state_dict(), state.get(name, {})))
    parts.average.module.load_state_dict(parts.trio().state_dict())


def main() -> None:
    """Parse the command line and train."""
    options = _parser().parse_args()
    run = start(RunConfig(options.out, options.steps, options.minutes, options.seed))
    device = run.fabric.device
    channels: tuple[int, ...] = GPU_CHANNELS if device.type == "cuda" else CPU_CHANNELS
    channels = tuple(int(c) for c in options.channels.split(",")) if options.channels else channels
    rows = max(2 * int(np.log2(options.resolution)) - 2, 12)
    seen = min(options.encoder_resolution or max(options.resolution, 64), 128)
    trunk = "" if options.plain_encoder else bundle_encoder.EFFICIENTNET
    shape = BundleEncoderConfig(
        rows,
        seen,
        width=options.encoder_width,
        hidden=options.encoder_hidden,
        feedback=True,
        passes=2 if options.again > 0 else 1,
        trunk=trunk,
    )
    dtype = fast_dtype(device)
    parts = build(options.resolution, channels, options.lr, options.mapping_layers, shape, dtype)
    for module in (*MODULES, "average"):
        getattr(parts, module).to(device)
    if run.fabric.is_global_zero:
        save_shapes(options.out, parts.generator, parts.encoder)
    resumed = run.resume(parts.named())
    if options.settle and not resumed:
        settling.check_start(parts.trio(), options.start_from)
    if not resumed and options.start_from:
        start_from(parts, options.start_from)
    if not resumed and options.trunk:
        averaged: Any = parts.average.module
        take_trunk((parts.encoder, averaged["encoder"]), options.trunk)
    seed = options.seed + run.fabric.global_rank
    batches = FaceBatches(options.data, options.resolution, options.batch, seed, device)
    if not resumed and not options.start_from:
        calibrate(parts, batches.faces.batch(np.arange(min(64, len(batches.faces)))).to(device))
    if options.settle:
        settling.hold_codes(parts.generator, parts.edits)
    run.agree(*(getattr(parts, module) for module in (*MODULES, "average")))
    rule = Weights(
        adversarial=options.adversarial,
        adversarial_from=options.adversarial_from,
        again=options.again,
    )
    judges = Judges.of(batches, options.clip, options.identity, device)
    photos, share = options.photos, options.photo_share
    mixed = MixedBatches(batches, photos, share, seed + run.step) if photos else None
    train(run, parts, batches, judges, rule, mixed, settling.cool_down(options.settle))
    if options.settle and run.fabric.is_global_zero:
        settling.save_settled(parts.average.module, options.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="shards or aligned photos")
    parser.add_argument("--photos", type=Path, help="aligned photos to see among the shards")
    parser.add_argument("--photo-share", type=float, default=0.15, help="of the batches")
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and logs")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--channels", default="", help="comma-separated, from 4 px up")
    parser.add_argument("--mapping-layers", type=int, default=8)
    parser.add_argument("--encoder-resolution", type=int, default=0, help="0: the pictures' own")
    parser.add_argument("--encoder-width", type=int, default=32)
    parser.add_argument("--encoder-hidden", type=int, default=192, help="features of its heads")
    parser.add_argument("--again", type=float, default=0.0, help="share that learns to correct")
    parser.add_argument("--plain-encoder", action="store_true", help="no trunk that knows ImageNet")
    parser.add_argument("--trunk", type=Path, help="a CLIP's folder: its eyes become the trunk")
    parser.add_argument("--batch", type=int, default=8, help="faces a step; a pair counts as one")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adversarial", type=float, default=0.05)
    parser.add_argument("--adversarial-from", type=int, default=60_000)
    parser.add_argument("--clip", type=Path, help="a CLIP's folder: drawings must look alike to it")
    parser.add_argument("--identity", action="store_true", help="drawings must be the same person")
    parser.add_argument("--start-from", type=Path, help="a checkpoint, or a model folder")
    parser.add_argument(
        "--settle", action="store_true", help="codes keep their meaning, rates fall all the time"
    )
    return parser


if __name__ == "__main__":
    main()
