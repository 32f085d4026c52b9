"""Train the generator and its encoder on photographs and renders together.

    python -m recipes.generator.photographs.train --photos portraits --data renders/pairs256 \
        --model multimodal/bundle/default --out runs/photographs

Photographs teach what faces look like: they are drawn back by way of the encoder. Renders keep
their pair losses and so teach what a change is. Which of the two a picture is, is one more factor
of its code (`look`). Two of three steps draw at half the side, where shapes and people are learnt
for less. Mapping network, style affines and the factors' directions stay as
they were, so that a code keeps its meaning (`train_generator --settle`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from multimodal.devices import fast_dtype
from multimodal.generators.smaller import drawn_at
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder
from multimodal.recognition.dlib_resnet import load_dlib_face
from recipes.checkpoint import load_factor_code, load_run, save_shapes
from recipes.encoder.encoder_trunk import learning
from recipes.factors.attributes import NAMES
from recipes.generator.critic import Critic, LpipsFeatures, critic_loss, deceive_loss
from recipes.generator.factor_code import FactorCode
from recipes.generator.generator_losses import (
    Viewer,
    attention,
    eyes,
    face,
    factor_weights,
    likeness,
    mouth,
)
from recipes.generator.generator_losses import Weights as PairWeights
from recipes.generator.looking import codes
from recipes.generator.pairs import FaceBatch, FaceBatches
from recipes.generator.photographs.look import LOOKS, Look
from recipes.generator.photographs.memory import RememberedPairs
from recipes.generator.photographs.parcel import ALEX, load_judge, load_parts, save_parts
from recipes.generator.photographs.portraits import PortraitBatches, held_back, read_index
from recipes.generator.photographs.shape import MeshDistance
from recipes.generator.train_generator import EQUALISED, STEEPEST
from recipes.loop import Average, Run, RunConfig, start

WARM_UP, COOLEST = 60, 0.05
"""Steps over which rates rise, and the share they fall to at the end."""
COURSE = ("photo", "render", "photo", "memory", "photo", "render")
"""What the steps show, again and again; memory where there are no renders."""
LOOK_EVERY = 102
"""Steps between looks for new shards: rendering may go on beside."""
HELD_BACK = 0.06
"""Share of the people whom nothing is learnt from, to choose a checkpoint by."""
PARTS, KEEP_SECONDS = "parts", 120.0
"""Where what can be sent lies, and how often it is written."""


@dataclass(frozen=True)
class Weights:
    """Loss weights.

    Args:
        pixels: L1.
        perceptual: LPIPS (alex) of the whole picture.
        closely: LPIPS of the face alone.
        eyes: LPIPS of the eyes and brows alone.
        mouth: LPIPS of the mouth alone.
        alike: one less the identity cosine.
        shape: distance of the 468 points of the face, in parts of the inter-ocular distance.
        deltas: pull of each row's departure from w towards zero (e4e, equation 5).
        look: squared error of where the code lies between render and photograph.
        adversarial: the critic's opinion, of photographs alone.
        factors: squared error of the factors read off the codes of renders.
        again: share of the steps on which the encoder corrects its first codes (ReStyle).
        plain: share of pictures drawn from w alone, which keeps W itself good.
        whole: share of the steps that draw at the full side.
    """

    pixels: float = 2.0
    perceptual: float = 1.5
    closely: float = 1.5
    eyes: float = 1.0
    mouth: float = 0.5
    alike: float = 1.5
    shape: float = 5.0
    deltas: float = 0.01
    look: float = 0.02
    adversarial: float = 0.0
    factors: float = 4.0
    again: float = 0.5
    plain: float = 0.12
    whole: float = 0.34


@dataclass
class Parts:
    """Everything that learns, and what stays."""

    generator: StyleGAN2
    encoder: BundleEncoder
    critic: Critic
    average: Average
    factors: FactorCode
    look: Look

    @classmethod
    def of(cls, model: Path, device: torch.device) -> Parts:
        """The networks of a model's folder, or of a training's."""
        generator, encoder = load_run(model, device)
        generator.dtype = fast_dtype(device)
        factors = FactorCode(generator.style_dim, len(NAMES)).to(device).requires_grad_(False)
        weight, bias = load_factor_code(model)
        factors.load_state_dict({"weight": weight, "bias": bias})
        learning(encoder)
        trio = nn.ModuleDict({"generator": generator, "encoder": encoder, "edits": factors})
        look = Look(generator.style_dim).to(device)
        return cls(
            generator, encoder, Critic().to(device), Average(trio, half_life=1500), factors, look
        )

    def trio(self) -> nn.ModuleDict:
        """What is averaged, in the order of a generator's training."""
        return nn.ModuleDict(
            {"generator": self.generator, "encoder": self.encoder, "edits": self.factors}
        )

    def groups(self, lr: float) -> list[dict[str, Any]]:
        """Weights that learn, with their rates: no style affine, so that styles keep meaning."""
        named = self.generator.synthesis.named_parameters()
        mine = {
            name: p.requires_grad_(True)
            for name, p in named
            if "affine" not in name and "noise" not in name
        }
        trunk = {id(p) for p in self.encoder.trunk.parameters()} if self.encoder.trunk else set()
        seeing = [p for p in self.encoder.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [p for n, p in mine.items() if n.endswith("weight")], "lr": lr * EQUALISED},
            {"params": [p for n, p in mine.items() if not n.endswith("weight")], "lr": lr},
            {"params": [p for p in seeing if id(p) not in trunk], "lr": lr},
            {"params": [p for p in seeing if id(p) in trunk], "lr": lr / 4},
        ]
        return [group | {"full_lr": group["lr"]} for group in groups if group["params"]]


@dataclass(frozen=True)
class Judges:
    """Frozen parts that say how good a drawing is; `factors` weighs the factors' errors, `[A]`."""

    features: LpipsFeatures
    likeness: Viewer
    shape: MeshDistance
    factors: Tensor

    @classmethod
    def of(cls, parcel: Path | None, vectors: Tensor | None, device: torch.device) -> Judges:
        """The installed ones, or those of a parcel; rare ones of the renders' factors weigh more,
        all weigh the same where there are no renders."""
        factors = torch.ones(len(NAMES)) if vectors is None else factor_weights(vectors)
        features = LpipsFeatures(None if parcel is None else parcel / ALEX)
        face_net = load_dlib_face() if parcel is None else load_judge(parcel)
        alike, shape = likeness(face_net.to(device)), MeshDistance(device)
        return cls(features.to(device), alike, shape, factors.to(device))


def encoded(parts: Parts, images: Tensor, again: bool) -> tuple[Tensor, Tensor]:
    """Codes w `[B, D]` and deltas `[B, L, D]` at first sight, or of a second look at the first."""
    if not again:
        return codes(parts.encoder, images)
    with torch.no_grad():
        w, deltas = codes(parts.encoder, images)
        side = min(parts.encoder.config.resolution, parts.generator.resolution)
        w_plus = w.unsqueeze(1) + deltas[:, : parts.generator.num_layers]
        drawn = drawn_at(parts.generator, w_plus, side)
    more, further = codes(parts.encoder, images, drawn)
    return w + more, deltas + further


def drawn_back(
    parts: Parts, judges: Judges, batch: FaceBatch, rule: Weights, side: int
) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor]]:
    """Terms of a batch drawn at `side`, the drawings' features and the pictures'."""
    photographs = batch.factors is None
    w, deltas = encoded(parts, batch.images, float(torch.rand(())) < rule.again)
    bare = torch.rand(len(w), 1, 1, device=w.device) < rule.plain
    deltas = deltas[:, : parts.generator.num_layers] * ~bare
    read, pair = parts.factors.read(w), PairWeights()
    used, images = w, batch.images
    if batch.factors is not None:
        told = torch.rand(len(w), 1, device=w.device) < pair.told
        used = w + parts.factors((batch.factors - read) * told)
    w_plus = used.unsqueeze(1) + deltas
    if batch.edited is not None and batch.change is not None:
        w_plus = torch.cat([w_plus, w_plus + parts.factors(batch.change).unsqueeze(1)])
        images = torch.cat([images, batch.edited])
    made, wanted = drawn_at(parts.generator, w_plus, side), sized(images, side)
    weight: Tensor | float = 1.0
    if batch.edited is not None:
        weight = attention(FaceBatch(sized(batch.images, side), sized(batch.edited, side)), pair)
    with torch.no_grad():
        real = judges.features(wanted)
    fake = judges.features(made)
    target = LOOKS["photo" if photographs else "render"]
    terms = {
        "pixels": ((made - wanted).abs() * weight).mean() * rule.pixels,
        "perceptual": judges.features.distance(fake, real) * rule.perceptual,
        "alike": judges.likeness(made, wanted) * rule.alike,
        "shape": judges.shape(made, wanted) * rule.shape,
        "deltas": deltas.square().mean() * rule.deltas,
        "look": (parts.look.read(w) - target).square().mean() * rule.look,
    }
    terms |= closely(judges.features, made, wanted, rule)
    if batch.factors is not None:
        terms["factors"] = ((read - batch.factors).square() * judges.factors).mean() * rule.factors
    return terms, fake, real


def closely(
    features: LpipsFeatures, made: Tensor, wanted: Tensor, rule: Weights
) -> dict[str, Tensor]:
    """Perceptual terms of the parts that people look at first, each enlarged."""
    looks = {
        "closely": (face, rule.closely),
        "eyes": (eyes, rule.eyes),
        "mouth": (mouth, rule.mouth),
    }
    terms = {}
    for name, (part, weight) in looks.items():
        with torch.no_grad():
            real = features(part(wanted))
        terms[name] = features.distance(features(part(made)), real) * weight
    return terms


def sized(images: Tensor, side: int) -> Tensor:
    """Pictures averaged down to `side`."""
    return images if images.shape[-1] == side else F.interpolate(images, (side, side), mode="area")


@dataclass(frozen=True)
class Sources:
    """Where pictures come from: photographs, renders where there are some, and memory."""

    photos: PortraitBatches
    remembered: RememberedPairs
    renders: FaceBatches | None = None

    def batch(self, step: int, seed: int) -> FaceBatch:
        """The pictures of a step."""
        kind = COURSE[step % len(COURSE)]
        if kind == "photo":
            return FaceBatch(next(self.photos))
        if kind == "memory" or self.renders is None:
            return next(self.remembered)
        if step % LOOK_EVERY == 1:
            self.renders.refresh(seed + step)
        return next(self.renders)


def train(
    run: Run, parts: Parts, sources: Sources, judges: Judges, lr: float, rule: Weights
) -> None:
    """Train to the end of the run's steps or minutes; rates fall over the second half."""
    adam = torch.optim.Adam(parts.groups(lr), betas=(0.9, 0.99), fused=True)
    adam_d = torch.optim.Adam(parts.critic.parameters(), lr=lr, betas=(0.0, 0.99), fused=True)
    named: dict[str, Any] = {**vars(parts), "optimizer": adam, "optimizer_d": adam_d}
    del named["factors"]
    full = [group["lr"] for group in adam.param_groups]
    if not run.resume(named) and not bool(parts.look.direction.any()):
        fit_look(parts, sources)
    begun, size, kept = run.step, sources.photos.batch, time.monotonic()
    run.start_clock()
    for step in run.steps(named, size):
        heat = min(1.0, (step - begun + 1) / WARM_UP, max(COOLEST, 2 - 2 * run.share_done()))
        for group, height in zip(adam.param_groups, full, strict=True):
            group["lr"] = height * heat
        batch = sources.batch(step, run.config.seed)
        whole = float(torch.rand(())) < rule.whole
        side = parts.generator.resolution // (1 if whole else 2)
        terms, fake, real = drawn_back(parts, judges, batch, rule, side)
        judged = rule.adversarial > 0 and batch.edited is None and whole
        if judged:
            terms["adversarial"] = deceive_loss(parts.critic, fake) * rule.adversarial
        _step(run, adam, torch.stack(list(terms.values())).sum())
        if judged:
            terms["critic"] = critic_loss(parts.critic, [m.detach() for m in fake], real)
            _step(run, adam_d, terms["critic"])
        parts.average.update(parts.trio(), size * run.fabric.world_size, run.images + 2000)
        run.log({"side": float(side)} | {name: term.detach() for name, term in terms.items()})
        if time.monotonic() - kept > KEEP_SECONDS:
            keep(run, parts)
            kept = time.monotonic()
    keep(run, parts)


def keep(run: Run, parts: Parts) -> None:
    """Write the averaged networks into files that are small enough to be sent."""
    if run.fabric.is_global_zero:
        average: Any = parts.average.module
        states = {name: part.state_dict() for name, part in average.items()}
        states |= {"look": parts.look.state_dict(), "critic": parts.critic.state_dict()}
        about = {"step": run.step, "images": run.images}
        save_parts(states, run.config.out / PARTS, about)


def take_up(parts: Parts, folder: Path) -> None:
    """Go on from what `keep` wrote, with the optimisers new."""
    states, _ = load_parts(folder)
    average: Any = parts.average.module
    for name, part in parts.trio().items():
        part.load_state_dict(states[name])
        average[name].load_state_dict(states[name])
    parts.look.load_state_dict(states["look"])
    parts.critic.load_state_dict(states["critic"])


@torch.no_grad()
def fit_look(parts: Parts, sources: Sources, count: int = 96) -> None:
    """Lay the look's direction between the codes that the encoder has for both."""
    seen = sources.photos.pictures[: count * 8 : 8].float() / 127.5 - 1
    drawn = [next(sources.remembered).images for _ in range(-(-count // sources.remembered.batch))]
    known = torch.cat(drawn)[:count]
    if sources.renders is not None:
        faces = sources.renders.faces
        known = faces.batch(np.arange(0, len(faces), 2)[:count]).to(seen.device)
    found = [torch.cat([codes(parts.encoder, x)[0] for x in s.split(16)]) for s in (known, seen)]
    parts.look.fit(found[0], found[1], parts.factors.weight)


def _step(run: Run, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    run.fabric.backward(loss)
    run.average_gradients(p for group in optimizer.param_groups for p in group["params"])
    for group in optimizer.param_groups:
        nn.utils.clip_grad_norm_(group["params"], STEEPEST)
    optimizer.step()


def main(
    out: Annotated[Path, typer.Option(help="checkpoints, logs and the parts that can be sent")],
    photos: Annotated[
        Path | None, typer.Option(help="folder of aligned portraits with an index.csv")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="folder of the model to go on with")] = None,
    parcel: Annotated[
        Path | None,
        typer.Option(help="folder that `parcel` wrote, instead of both"),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="renders in pairs")] = None,
    go_on: Annotated[Path | None, typer.Option(help="parts of another training")] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="a source of portraits")] = None,
    batch: Annotated[int, typer.Option(min=1, help="photographs a step; half as many pairs")] = 6,
    lr: Annotated[float, typer.Option(help="of encoder; the generator takes 5 times it")] = 5e-4,
    adversarial: Annotated[float, typer.Option(help="weight of the critic of photographs")] = 0.0,
    steps: Annotated[int, typer.Option(help="in all")] = 1_000_000,
    minutes: Annotated[float, typer.Option(help="0: no limit")] = 0.0,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train; the same command goes on from the folder's checkpoint."""
    run = start(RunConfig(out, steps, minutes, seed, log_every=10))
    device, judging = run.fabric.device, None
    if parcel is not None:
        photos, model, judging = parcel / "photos", parcel / "model", parcel / "judges"
    if photos is None or model is None:
        raise typer.BadParameter("give --photos and --model, or --parcel")
    parts = Parts.of(model, device)
    rank, side = seed + run.fabric.global_rank, parts.generator.resolution
    pairs = max(batch // 2, 1)
    remembered = RememberedPairs(parts.generator, parts.factors, pairs, rank)
    if go_on is not None:
        take_up(parts, go_on)
    if run.fabric.is_global_zero:
        save_shapes(out, parts.generator, parts.encoder)
    learnt, _ = held_back(read_index(photos, "train", leave_out or ()), HELD_BACK)
    shown = PortraitBatches(learnt, side, batch, rank, device)
    renders = None if data is None else FaceBatches(data, side, pairs, rank, device)
    judges = Judges.of(judging, None if renders is None else renders.vectors, device)
    sources = Sources(shown, remembered, renders)
    train(run, parts, sources, judges, lr, Weights(adversarial=adversarial))


if __name__ == "__main__":
    typer.run(main)
