"""Bring a trained generator and its encoder to another domain of few pictures: photos of faces.

    python -m recipes.generator.train_portrait --run multimodal/bundle/default --photos \
        photos/train --out runs/portrait

A few-shot adaptation: the pictures are drawn back by way of the encoder, and a critic on frozen
features tells drawings from pictures (frozen early layers: Mo et al. 2020, "Freeze the
Discriminator"). What the generator knew must stay: samples keep their likeness to each other, layer
by layer (Ojha et al. 2021, "Few-shot Image Generation via Cross-domain Correspondence", equation
2), and a step of a factor must change what CLIP sees as it did before, so that directions still
work. **Differs:** the mapping network and the style affines stay as they were, so that a code means
the same in both domains. The folder that is written is one of
`recipes.generator.train_generator`'s.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from guidance.clip import OpenClip, load_clip
from multimodal.devices import fast_dtype
from multimodal.editing.assemble import CLIP
from multimodal.files.variants import completed
from multimodal.generators import load_stylegan2
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder
from multimodal.inversion.encoders.loading import GENERATOR
from multimodal.recognition.dlib_resnet import load_dlib_face
from multimodal.types import Generator
from recipes.checkpoint import load_factor_code, load_run, save_shapes
from recipes.clip.clip_augment import vary
from recipes.encoder.encoder_trunk import learning
from recipes.factors.attributes import NAMES
from recipes.generator.critic import Critic, LpipsFeatures, critic_loss, deceive_loss
from recipes.generator.factor_code import FactorCode
from recipes.generator.generator_losses import Viewer, likeness, recognition
from recipes.generator.looking import codes, corrected, drawn_by
from recipes.generator.pairs import FaceBatches
from recipes.generator.train_generator import EQUALISED
from recipes.loop import Average, Run, RunConfig, start

LAZY = 2
"""What must not be forgotten costs most: it is looked at once in so many steps, and weighs more."""


@dataclass(frozen=True)
class Weights:
    """Loss weights.

    Args:
        pixels: L1 of pictures drawn back.
        perceptual: their LPIPS (alex).
        alike: one less their identity cosine.
        recognised: one less their CLIP cosine.
        deltas: pull of each row's departure from w towards zero (e4e, equation 5).
        adversarial: the critic's opinion of pictures drawn back and of samples.
        correspondence: how much otherwise samples resemble each other than before (Ojha et al.).
        steps: how much otherwise CLIP sees a factor's step than before.
        code: squared error of the codes that the encoder finds for the generator's own samples.
        again: share of the batches on which the encoder corrects its first codes (ReStyle).
    """

    pixels: float = 2.0
    perceptual: float = 1.5
    alike: float = 1.0
    recognised: float = 0.5
    deltas: float = 0.02
    adversarial: float = 0.05
    correspondence: float = 20.0
    steps: float = 1.0
    code: float = 0.2
    again: float = 0.5


@dataclass
class Parts:
    """Everything that learns, and what must not be forgotten.

    Args:
        generator: the one that is moved.
        encoder: learns to find its codes.
        critic: tells drawings from pictures.
        average: of generator, encoder and factors, which is kept.
        before: the generator as it was, frozen.
        factors: directions of W, frozen.
    """

    generator: StyleGAN2
    encoder: BundleEncoder
    critic: Critic
    average: Average
    before: StyleGAN2
    factors: FactorCode

    @classmethod
    def of(cls, run: Path, drawing: Generator, device: torch.device) -> Parts:
        """The networks of a training's folder, with the mapping network of `drawing`."""
        generator, encoder = load_run(run, device)
        mapping: Any = drawing.mapping
        generator.mapping.load_state_dict(mapping.state_dict())
        generator.dtype = fast_dtype(device)
        factors = FactorCode(generator.style_dim, len(NAMES)).to(device).requires_grad_(False)
        weight, bias = load_factor_code(run)
        factors.load_state_dict({"weight": weight, "bias": bias})
        before = copy.deepcopy(generator)
        trio = nn.ModuleDict({"generator": generator, "encoder": encoder, "edits": factors})
        average = Average(trio, half_life=1500)
        learning(encoder)
        return cls(generator, encoder, Critic().to(device), average, before, factors)

    def trio(self) -> nn.ModuleDict:
        """What is averaged, in the order of a generator's training."""
        return nn.ModuleDict(
            {"generator": self.generator, "encoder": self.encoder, "edits": self.factors}
        )

    def groups(self, lr: float) -> list[dict[str, Any]]:
        """Weights that learn, with their rates: no style affine, so that styles keep meaning."""
        named = self.generator.synthesis.named_parameters()
        mine = {name: p.requires_grad_(True) for name, p in named if "affine" not in name}
        trunk = {id(p) for p in self.encoder.trunk.parameters()} if self.encoder.trunk else set()
        seeing = [p for p in self.encoder.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [p for n, p in mine.items() if n.endswith("weight")], "lr": lr * EQUALISED},
            {"params": [p for n, p in mine.items() if not n.endswith("weight")], "lr": lr},
            {"params": [p for p in seeing if id(p) not in trunk], "lr": lr / 2},
            {"params": [p for p in seeing if id(p) in trunk], "lr": lr / 8},
        ]
        return [group for group in groups if group["params"]]


@dataclass(frozen=True)
class Judges:
    """Frozen parts that say how good a drawing is."""

    features: LpipsFeatures
    clip: OpenClip
    recognition: Viewer
    likeness: Viewer


@contextmanager
def activations(generator: StyleGAN2, kept: list[Tensor]) -> Iterator[None]:
    """Collect what every convolution of a generator gives, `[B, C, h, w]`, while it draws."""

    def keep(_: nn.Module, __: Any, out: Tensor) -> None:
        kept.append(out)

    handles = [c.register_forward_hook(keep) for c in generator.synthesis.conv_layers()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def correspondence(new: list[Tensor], old: list[Tensor]) -> Tensor:
    """How much otherwise the pictures of a batch resemble each other than before: mean KL
    divergence over layers of the softmax of their cosines (Ojha et al. 2021, equations 1 and 2).

    Args:
        new: activations `[B, C, h, w]` of the layers; `B` of 3 or more.
        old: the same of the generator before.
    """
    terms = []
    for now, then in zip(new, old, strict=True):
        wanted = _resemblances(then).detach()
        terms.append(F.kl_div(_resemblances(now), wanted, log_target=True, reduction="batchmean"))
    return torch.stack(terms).mean()


def _resemblances(maps: Tensor) -> Tensor:
    """Log-softmax over the others of each picture's cosines, `[B, B - 1]`."""
    flat = F.normalize(maps.flatten(1).float(), dim=1)
    cosines, others = flat @ flat.T, ~torch.eye(len(flat), dtype=torch.bool, device=flat.device)
    return cosines[others].unflatten(0, (len(flat), -1)).log_softmax(dim=1)


def drawn_back(
    parts: Parts, judges: Judges, images: Tensor, rule: Weights
) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor]]:
    """Terms of pictures `[B, 3, R, R]` drawn back, the drawings' features and the pictures'."""
    if float(torch.rand(())) < rule.again:
        w, deltas = corrected(parts.encoder, parts.generator, images)
    else:
        w, deltas = codes(parts.encoder, images)
    made = parts.generator.synthesize(_w_plus(parts, w, deltas), noise="none")
    with torch.no_grad():
        real = judges.features(images)
    fake = judges.features(made)
    terms = {
        "pixels": (made - images).abs().mean() * rule.pixels,
        "perceptual": judges.features.distance(fake, real) * rule.perceptual,
        "alike": judges.likeness(made, images) * rule.alike,
        "recognised": judges.recognition(made, images) * rule.recognised,
        "deltas": deltas.square().mean() * rule.deltas,
    }
    return terms, fake, real


def _w_plus(parts: Parts, w: Tensor, deltas: Tensor) -> Tensor:
    return w.unsqueeze(1) + deltas[:, : parts.generator.num_layers]


def kept(
    parts: Parts, judges: Judges, count: int, rule: Weights
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Terms of what must not be forgotten, on `count` samples, and the samples' features."""
    w = parts.before.sample(count, int(torch.randint(2**31, ())), 0.9).w
    change = torch.zeros(count, len(NAMES), device=w.device)
    change[:, int(torch.randint(len(NAMES), ()))] = 1.0
    both = torch.cat([w, w + parts.factors(change).unsqueeze(1)])
    with torch.no_grad():
        old: list[Tensor] = []
        with activations(parts.before, old):
            then = judges.clip.encode_image(parts.before.synthesize(both, noise="none"))
    new: list[Tensor] = []
    with activations(parts.generator, new):
        made = parts.generator.synthesize(both, noise="none")
    now = judges.clip.encode_image(made)
    moved, wanted = now[count:] - now[:count], then[count:] - then[:count]
    found = _w_plus(parts, *codes(parts.encoder, made[:count].detach()))
    layers = ([m[:count] for m in new], [m[:count] for m in old])
    terms = {
        "correspondence": correspondence(*layers) * rule.correspondence,
        "steps": (moved - wanted).square().sum(dim=1).mean() * rule.steps,
        "code": (found - w).square().mean() * rule.code,
    }
    return terms, judges.features(made[:count])


def train(
    run: Run, parts: Parts, photos: FaceBatches, judges: Judges, lr: float, rule: Weights
) -> None:
    """Train to the end of the run's steps or minutes; rates fall over the second half."""
    adam = torch.optim.Adam(parts.groups(lr), betas=(0.9, 0.99))
    adam_d = torch.optim.Adam(parts.critic.parameters(), lr=lr / 2, betas=(0.0, 0.99))
    named: dict[str, Any] = {**vars(parts), "optimizer": adam, "optimizer_d": adam_d}
    del named["before"], named["factors"]
    run.resume(named)
    source = torch.Generator().manual_seed(run.config.seed + run.step)
    full = [group["lr"] for group in adam.param_groups]
    run.start_clock()
    for _ in run.steps(named, photos.batch):
        for group, height in zip(adam.param_groups, full, strict=True):
            group["lr"] = height * min(1.0, 2.2 - 2 * run.share_done(), (run.step + 1) / 50)
        images = vary(next(photos).images, source)
        terms, fake, real = drawn_back(parts, judges, images, rule)
        if run.step % LAZY == 0:
            more, samples = kept(parts, judges, photos.batch, rule)
            terms |= {name: LAZY * term for name, term in more.items()}
            fake = [torch.cat(maps) for maps in zip(fake, samples, strict=True)]
        terms["adversarial"] = deceive_loss(parts.critic, fake) * rule.adversarial
        _step(run, adam, torch.stack(list(terms.values())).sum())
        terms["critic"] = critic_loss(parts.critic, [m.detach() for m in fake], real)
        _step(run, adam_d, terms["critic"])
        parts.average.update(parts.trio(), photos.batch, run.images + 2000)
        run.log({name: term.detach() for name, term in terms.items()})
        if run.step % (run.config.log_every * 4) == 0:
            run.log_images("portraits", _grid(parts, images))


def _step(run: Run, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    run.fabric.backward(loss)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    run.average_gradients(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


@torch.no_grad()
def _grid(parts: Parts, images: Tensor) -> Tensor:
    from torchvision.utils import make_grid

    nets: Any = parts.average.module
    w_plus = _w_plus(parts, *codes(nets["encoder"], images))
    rows = [images, drawn_by(nets["generator"], w_plus), drawn_by(parts.before, w_plus)]
    return make_grid(torch.cat(rows), nrow=len(images))


def main(
    run: Annotated[
        Path, typer.Option(help="folder of a model, or of recipes.generator.train_generator")
    ],
    photos: Annotated[Path, typer.Option(help="folder of aligned pictures of the new domain")],
    out: Annotated[Path, typer.Option(help="checkpoints, logs and the generator's file")],
    generator: Annotated[
        Path | None, typer.Option(help="with the mapping network; default: the model's")
    ] = None,
    clip: Annotated[Path | None, typer.Option(help="CLIP folder; default: the model's")] = None,
    batch: Annotated[int, typer.Option(min=3, help="pictures a step, and samples")] = 4,
    lr: Annotated[float, typer.Option(help="of biases; weights take five times it")] = 3e-4,
    steps: Annotated[int, typer.Option(help="in all")] = 1000,
    minutes: Annotated[float, typer.Option(help="0: no limit")] = 0.0,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Adapt, and write a run's folder with `generator.safetensors`."""
    from multimodal.generators.checkpoints import save_generator

    going = start(RunConfig(out, steps, minutes, seed, log_every=20))
    device, run = going.fabric.device, completed(run)
    seeing = load_clip(clip or run / CLIP, device)
    alike = likeness(load_dlib_face(device=device))
    judges = Judges(LpipsFeatures().to(device), seeing, recognition(seeing), alike)
    parts = Parts.of(run, load_stylegan2(generator or run, device), device)
    if going.fabric.is_global_zero:
        save_shapes(out, parts.generator, parts.encoder)
    rank = going.fabric.global_rank
    faces = FaceBatches(photos, parts.generator.resolution, batch, seed + rank, device)
    train(going, parts, faces, judges, lr, Weights())
    if going.fabric.is_global_zero:
        average: Any = parts.average.module
        save_generator(average["generator"].cpu(), out / GENERATOR)


if __name__ == "__main__":
    typer.run(main)
