"""Train the bundle's CLIP: a small image tower against frozen MiniLM sentences.

python -m recipes.clip.train_clip --data RENDERS --heldout RENDERS --out OUT --minutes 30
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from guidance.clip import OpenClip, load_clip, save_clip
from multimodal.devices import fast_autocast
from multimodal.files.weights import atomic
from recipes.clip.clip_augment import augment
from recipes.clip.clip_model import FROZEN_STAGES, PRETRAINED, ClipConfig, new_clip
from recipes.clip.clip_truth import facts, truth_matrix
from recipes.data import Faces, index_batches
from recipes.factors.attributes import NAMES, attribute_matrix
from recipes.judge.train_judge import CLASSES, UNKNOWN, class_weights, label_matrix
from recipes.loop import Average, Run, RunConfig, start
from recipes.render.factors import Factors
from recipes.words.clip_words import class_prompts

FIRST_SCALE, LARGEST_SCALE = 30.0, 60.0
KNOWN_RATE = 0.4
"""Share of the rate at which a tower that knows ImageNet goes on learning."""
VARIED = 0.7
"""Share of the pictures that are seen augmented."""


class ClipTrainee(nn.Module):
    """What is trained: image tower, text projection, temperature and the factor read-out.

    Args:
        clip: the model; its transformer stays frozen.
        keep_text: leave the text projection as it is too, and with it everything that was aligned
            to this CLIP's texts.
    """

    def __init__(self, clip: OpenClip, keep_text: bool = False) -> None:
        super().__init__()
        model: Any = clip.model
        self.visual = model.visual.train().requires_grad_(True)
        self.proj = model.text.proj.train(not keep_text).requires_grad_(not keep_text)
        self.scale = model.logit_scale.requires_grad_(True)
        with torch.no_grad():  # many attributes share a unit vector: each has a small part of it
            self.scale.fill_(math.log(FIRST_SCALE))
        self.read_out = nn.Linear(clip.dim, len(NAMES))
        self.heads = nn.Linear(clip.dim, sum(len(c) for c in CLASSES.values()))

    def forward(self, images: Tensor, sentences: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures and pooled sentences `[T, 384]` -> raw picture vectors `[B, E]`, unit sentence
        vectors `[T, E]`, temperature."""
        seen = self.visual(images).float()
        said = F.normalize(self.proj(sentences).float(), dim=-1)
        return seen, said, self.scale.exp().clamp(max=LARGEST_SCALE)


def contrastive_loss(seen: Tensor, said: Tensor, truth: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE where every true pair is a positive (Khosla et al. 2020, equation 2), both ways.

    Args:
        seen: unit picture vectors `[B, E]`.
        said: unit caption vectors `[B, E]`.
        truth: `[B, B]`, 1 where the caption is true of the picture.
        scale: inverse temperature.
    """
    logits = scale * seen @ said.T
    rows = truth / truth.sum(dim=1, keepdim=True)
    columns = (truth / truth.sum(dim=0, keepdim=True)).T
    return (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, columns)) / 2


def class_loss(
    logits: Tensor, labels: Tensor, weights: list[Tensor], unknown: int = UNKNOWN
) -> Tensor:
    """Cross entropies of all attributes, summed: what teaches the picture side to look closely.

    Args:
        logits: `[B, classes of all attributes]`.
        labels: `[B, attributes]`, `unknown` where a picture does not show it.
        weights: of each attribute's classes.
    """
    parts = logits.split([len(w) for w in weights], dim=1)
    losses = [
        F.cross_entropy(part, wanted, weight.to(part), ignore_index=unknown)
        for part, wanted, weight in zip(parts, labels.T, weights, strict=True)
        if bool((wanted != unknown).any())
    ]
    return torch.stack(losses).sum()


class PromptLoss:
    """Classification of pictures by one random prompt a class.

    Args:
        clip: reads the prompts once.
    """

    def __init__(self, clip: OpenClip) -> None:
        self.classes = [(a, list(c)) for a, c in class_prompts().items()]
        texts = [t for c in class_prompts().values() for ps in c.values() for t in ps]
        parts = [clip.pooled(texts[i : i + 128]).cpu() for i in range(0, len(texts), 128)]
        counts = [len(ps) for c in class_prompts().values() for ps in c.values()]
        self.pools = torch.cat(parts).split(counts)

    def sentences(self, source: torch.Generator) -> Tensor:
        """One pooled prompt `[384]` of every class of every attribute, stacked."""
        picks = [int(torch.randint(len(p), (1,), generator=source)) for p in self.pools]
        return torch.stack([p[i] for p, i in zip(self.pools, picks, strict=True)])

    def __call__(
        self, seen: Tensor, prompts: Tensor, known: list[dict[str, str]], scale: Tensor
    ) -> Tensor:
        """Mean cross entropy over the attributes that apply to some picture."""
        losses, first = [], 0
        for attribute, classes in self.classes:
            part = prompts[first : first + len(classes)]
            first += len(classes)
            index = {c: i for i, c in enumerate(classes)}
            target = torch.tensor([index.get(k.get(attribute, ""), -1) for k in known])
            if len(classes) < 2 or bool((target < 0).all()):
                continue
            logits = scale * seen @ part.T
            losses.append(F.cross_entropy(logits, target.to(logits.device), ignore_index=-1))
        return torch.stack(losses).mean()


@dataclass(frozen=True)
class Batch:
    """Pictures, their classes, captions with their pooled sentences `[n, 384]`, factors, and
    class indices `[n, attributes]`."""

    images: Tensor
    known: list[dict[str, str]]
    captions: list[str]
    sentences: Tensor
    factors: Tensor
    labels: Tensor


class Renders:
    """Renders as training batches, each with one of its captions.

    Nothing is mirrored: captions speak of left and right.

    Args:
        folders: shards of renders.
        size: side of the pictures.
        device: a GPU holds the pictures.
    """

    def __init__(self, folders: list[Path], size: int, device: torch.device | str = "cpu") -> None:
        self.sets = [Faces(folder, size, device) for folder in folders]
        rows = [row for faces in self.sets for row in faces.column("factors")]
        self.known = [facts(Factors.from_dict(row)) for row in rows]
        self.vectors = torch.from_numpy(attribute_matrix(rows))
        self.labels = label_matrix(rows)
        lines = [line for faces in self.sets for line in faces.column("captions")]
        self.captions = [texts[i % len(texts)] for i, texts in enumerate(lines)]
        self.ends = np.cumsum([len(faces) for faces in self.sets])
        self.sentences = torch.empty(0)

    def __len__(self) -> int:
        return len(self.known)

    def read(self, clip: OpenClip, kept: Path, batch: int = 128) -> None:
        """Pool every caption once (the text transformer is frozen), or take what is kept."""
        if kept.is_file():
            self.sentences = torch.load(kept, weights_only=True).float()
        if len(self.sentences) == len(self):
            return
        order = sorted(range(len(self)), key=lambda i: len(self.captions[i]))
        out = torch.empty(len(self), clip.pooled(self.captions[:1]).shape[1])
        for first in range(0, len(order), batch):
            part = order[first : first + batch]
            with fast_autocast(clip.device):
                out[part] = clip.pooled([self.captions[i] for i in part]).cpu()
        self.sentences = out
        with atomic(kept) as temporary:
            torch.save(out.half(), temporary)

    def images(self, indices: np.ndarray) -> Tensor:
        """Pictures `[n, 3, R, R]` in [-1, 1]."""
        out: list[Tensor] = [torch.empty(0)] * len(indices)
        for k, faces in enumerate(self.sets):
            begin = 0 if k == 0 else self.ends[k - 1]
            mine = np.flatnonzero((indices >= begin) & (indices < self.ends[k]))
            if len(mine):
                pictures = faces.batch(indices[mine] - begin)
                for where, picture in zip(mine, pictures, strict=True):
                    out[where] = picture
        return torch.stack(out)

    def batch(self, indices: np.ndarray) -> Batch:
        """A training batch."""
        return Batch(
            self.images(indices),
            [self.known[i] for i in indices],
            [self.captions[i] for i in indices],
            self.sentences[indices],
            self.vectors[indices],
            self.labels[indices],
        )


def jittered(sentences: Tensor, source: torch.Generator) -> Tensor:
    """Pooled sentences with noise and other lengths, so that wordings nearby read the same."""
    length = sentences.norm(dim=1, keepdim=True)
    noise = torch.randn(sentences.shape, generator=source).to(sentences)
    noise = 0.3 * length * noise / sentences.shape[1] ** 0.5
    scale = 0.7 + 0.6 * torch.rand(len(sentences), 1, generator=source)
    return (sentences + noise) * scale.to(sentences)


def train(
    run: Run,
    clip: OpenClip,
    renders: Renders,
    batch: int = 48,
    lr: float = 2e-3,
    keep_text: bool = False,
) -> None:
    """Train until the run's steps or minutes are used up; `clip` ends with averaged weights."""
    fabric, trainee = run.fabric, ClipTrainee(clip, keep_text)
    prompts = PromptLoss(clip)
    average = Average(trainee, half_life=15_000)
    trainee.visual.to(memory_format=torch.channels_last)
    model, adam = fabric.setup(trainee, torch.optim.AdamW(parameter_groups(trainee), lr))
    clip.to(fabric.device)
    renders.read(clip, run.config.out / "captions.pt")
    average.to(fabric.device)
    parts = {"trainee": trainee, "average": average, "adam": adam}
    run.resume(parts)
    run.start_clock()
    weights = class_weights(renders.labels)
    began, kind = time.monotonic(), fabric.device.type
    order = index_batches(len(renders), batch, run.config.seed + run.step + fabric.global_rank)
    for step in run.steps(parts, batch):
        source = torch.Generator().manual_seed(run.config.seed * 100_003 + step)
        found = renders.batch(next(order))
        truth = truth_matrix(found.known, found.captions).to(fabric.device)
        sentences = jittered(torch.cat([found.sentences, prompts.sentences(source)]), source)
        images = clip.preprocess(_views(found.images.to(fabric.device), source))
        for group in adam.param_groups:
            group["lr"] = lr * group["share"] * _progress_factor(run, began)
        with fast_autocast(kind):
            raw, said, scale = model(
                images.contiguous(memory_format=torch.channels_last), sentences.to(fabric.device)
            )
        seen = F.normalize(raw, dim=-1)
        losses = {
            "contrastive": contrastive_loss(seen, said[:batch], truth, scale),
            "prompts": 4 * prompts(seen, said[batch:], found.known, scale),
            **supervised(trainee, seen, found, weights),
        }
        adam.zero_grad(set_to_none=True)
        fabric.backward(torch.stack(list(losses.values())).sum())
        fabric.clip_gradients(model, adam, max_norm=1.0)
        adam.step()
        average.update(trainee, batch, run.images + batch)
        run.log({k: v.detach() for k, v in losses.items()} | {"scale": scale.detach()})
    _adopt(clip, average.module)


def parameter_groups(trainee: ClipTrainee) -> list[dict[str, Any]]:
    """Weights decay; vectors and the temperature, which decay would warm, do not. What knows
    ImageNet learns slowly, and the part of it that sees edges and textures not at all."""
    trunk: Any = getattr(trainee.visual, "trunk", None)
    known: set[nn.Parameter] = set()
    if isinstance(trunk, EfficientNet):
        known = set(trunk.parameters())
        for part in (trunk.conv_stem, trunk.bn1, trunk.blocks[:FROZEN_STAGES]):
            part.requires_grad_(False)
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in trainee.parameters():
        if parameter.requires_grad:
            kind = (parameter.ndim > 1, parameter in known)
            groups.setdefault(kind, []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": 0.05 if table else 0.0,
            "share": KNOWN_RATE if tuned else 1.0,
        }
        for (table, tuned), parameters in groups.items()
    ]


def supervised(
    trainee: ClipTrainee, seen: Tensor, batch: Batch, weights: list[Tensor]
) -> dict[str, Tensor]:
    """Losses of what is known exactly of each render, read off the unit vectors `[B, E]`."""
    spread = seen * math.sqrt(seen.shape[1])
    error = F.mse_loss(trainee.read_out(spread), batch.factors.to(seen.device))
    classes = class_loss(trainee.heads(spread), batch.labels.to(seen.device), weights)
    return {"factors": 2 * error, "classes": classes}


def _views(images: Tensor, source: torch.Generator) -> Tensor:
    """Augmented pictures, and some as they are, which teach fine marks faster."""
    kept = torch.rand(len(images), 1, 1, 1, generator=source) >= VARIED
    return torch.where(kept.to(images.device), images, augment(images, source))


def _progress_factor(run: Run, began: float) -> float:
    """Warm-up over 50 steps, cosine to a twentieth at the end of the steps or the minutes."""
    done = run.step / run.config.steps
    if run.config.minutes > 0:
        done = max(done, (time.monotonic() - began) / (60 * run.config.minutes))
    cosine = 0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0)))
    return cosine * min(1.0, (run.step + 1) / 50)


def _adopt(clip: OpenClip, averaged: nn.Module) -> None:
    trained: Any = averaged
    model: Any = clip.model
    model.visual.load_state_dict(trained.visual.state_dict())
    model.text.proj.load_state_dict(trained.proj.state_dict())
    with torch.no_grad():
        model.logit_scale.copy_(trained.scale.clamp(max=math.log(LARGEST_SCALE)))
    clip.model.eval().requires_grad_(False)


def begin_from(clip: OpenClip, folder: Path) -> None:
    """Take a trained CLIP's image tower and text projection; sentences stay.

    Raises:
        FileNotFoundError: no CLIP in that folder.
        ValueError: it has another shape.
    """
    mine: Any = clip.model
    other: Any = load_clip(folder, "cpu").model
    try:
        mine.visual.load_state_dict(other.visual.state_dict())
        mine.text.proj.load_state_dict(other.text.proj.state_dict())
    except (RuntimeError, AttributeError) as error:
        raise ValueError(f"the CLIP in {folder} has another shape: {error}") from error


def main(
    data: Annotated[list[Path], typer.Option(help="renders to train on; may be given again")],
    out: Annotated[Path, typer.Option(help="folder of checkpoints, log and the finished CLIP")],
    heldout: Annotated[Path | None, typer.Option(help="renders to judge on")] = None,
    minutes: Annotated[float, typer.Option(help="time limit of the training (0: none)")] = 30.0,
    steps: Annotated[int, typer.Option(help="optimiser steps in all")] = 20_000,
    batch: int = 48,
    image_size: Annotated[int, typer.Option(help="side of the image tower's input")] = 128,
    image_tower: Annotated[str, typer.Option(help="pooled-resnet, or of timm")] = PRETRAINED,
    start_from: Annotated[Path | None, typer.Option(help="a CLIP's folder to go on from")] = None,
    keep_text: Annotated[bool, typer.Option(help="train its image tower alone")] = False,
    lr: Annotated[float, typer.Option(help="highest rate")] = 2e-3,
    seed: int = 0,
) -> None:
    """Train the bundle's CLIP, write it as an open_clip folder and judge it."""
    from recipes.clip.minilm import minilm_folder
    from recipes.evaluate.evaluate_clip import evaluate, report

    run = start(RunConfig(out, steps, minutes, seed, log_every=25))
    if not keep_text:
        clip = new_clip(minilm_folder(), ClipConfig(image_tower, image_size=image_size), seed)
        if start_from is not None:
            begin_from(clip, start_from)
    elif start_from is not None:
        clip = load_clip(start_from, "cpu")
    else:
        raise typer.BadParameter("--keep-text needs the CLIP whose texts are kept: --start-from")
    train(run, clip, Renders(data, clip.image_size, run.fabric.device), batch, lr, keep_text)
    if run.fabric.is_global_zero:
        save_clip(clip, out / "clip")
        if heldout is not None:
            report(evaluate(clip, heldout), out / "clip.json")


if __name__ == "__main__":
    typer.run(main)
