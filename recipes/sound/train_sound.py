"""Train the sound encoder: InfoNCE to sentences, consistency of views, YAMNet as a teacher.

    python -m recipes.sound.train_sound --assets ../shared/assets --out runs/sound --minutes 35

Stage 1 fills a cache of examples (`recipes/sound/cache.py`), stage 2 trains on it. Both resume.
The shipped weights are an exponential average, in fp16, with the licences of what they saw.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audio.encoder import SoundEncoder, save_encoder
from multimodal.devices import fast_autocast
from recipes.loop import Average, Run, RunConfig, start
from recipes.sound.bank import Bank, banks
from recipes.sound.cache import GROUP_NAMES, ExampleMaker, load_cache, make_cache
from recipes.sound.data import licences, rows, split_of
from recipes.sound.yamnet import Yamnet

NON_COMMERCIAL = "saw RAVDESS (CC BY-NC-SA 4.0): non-commercial use only"
PATCH_STEPS = ((0, 6), (3, 9), (6, 12))  # encoder steps under each of the teacher's patches


@dataclass(frozen=True)
class SoundTraining:
    """Weights of the losses and the optimiser's settings.

    Args:
        batch: examples a step (two views each).
        rate: peak learning rate.
        decay: weight decay.
        temperature: of every softmax over sentences.
        embedding, scores, labels, groups, target, views: weights of the losses.
    """

    batch: int = 48
    rate: float = 2e-3
    decay: float = 0.02
    temperature: float = 0.06
    embedding: float = 1.0
    scores: float = 4.0
    labels: float = 0.5
    groups: float = 0.6
    target: float = 1.0
    views: float = 1.0


class Teaching(nn.Module):
    """The encoder with the heads that only training needs."""

    def __init__(self, encoder: SoundEncoder, classes: int, embedding: int = 1024) -> None:
        super().__init__()
        self.encoder = encoder
        hidden = encoder.config.hidden
        self.embedding = nn.Linear(hidden, embedding)
        self.scores = nn.Linear(hidden, classes)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`[B, 1, T, M]` -> heard `[B, 384]`, patch embeddings `[B, 3, 1024]`, logits `[B, C]`."""
        steps = self.encoder.steps(features)
        parts = torch.stack([steps[:, a:b].mean(dim=1) for a, b in PATCH_STEPS], dim=1)
        logits = self.scores(self.encoder.pool(steps))
        return self.encoder.pooled(steps).float(), self.embedding(parts).float(), logits.float()


def mask_bands(features: Tensor, generator: torch.Generator) -> Tensor:
    """SpecAugment (Park et al. 2019): up to 12 bands and 30 frames of each view are levelled."""
    b, _, frames, mels = features.shape
    out = features.clone()
    for size, limit, axis in ((mels, 12, 3), (frames, 30, 2)):
        width = (torch.rand(b, generator=generator) * limit).long()
        first = (torch.rand(b, generator=generator) * (size - limit)).long()
        at = torch.arange(size)[None]
        masked = (at >= first[:, None]) & (at < (first + width)[:, None])
        shape = (b, 1, size, 1) if axis == 2 else (b, 1, 1, size)
        out = out.masked_fill(masked.view(shape), 0.0)
    return out


def info_nce(heard: Tensor, texts: Tensor, classes: Tensor, temperature: float) -> Tensor:
    """Cross entropy of the right sentence among one sentence a class; rows of class -1 are left
    out (van den Oord et al. 2018)."""
    known = classes >= 0
    if not bool(known.any()):
        return heard.sum() * 0.0
    return F.cross_entropy(heard[known] @ texts.T / temperature, classes[known])


def label_loss(heard: Tensor, texts: Tensor, scores: Tensor, temperature: float) -> Tensor:
    """Soft InfoNCE: the teacher's scores share the mass among the class names."""
    share = scores.masked_fill(scores < 0.05, 0.0)
    total = share.sum(dim=1, keepdim=True)
    share = share / total.clamp(min=1e-6)
    losses = -(share * (heard @ texts.T / temperature).log_softmax(dim=1)).sum(dim=1)
    sure = total[:, 0].clamp(max=1.0)
    return (losses * sure).sum() / sure.sum().clamp(min=1e-6)


class Targets:
    """Sentences for a batch: one random wording of what each clip is."""

    def __init__(self, sentence_banks: dict[str, Bank], seed: int) -> None:
        self.banks = sentence_banks
        self.names = sentence_banks["labels"].means()
        self.generator = torch.Generator().manual_seed(seed)

    def spoken(self, labels: Tensor) -> Tensor:
        """Class of sex and emotion together, -1 where either is unknown: `[B]`."""
        mood, sex = labels[:, 1], labels[:, 2]
        known = (mood >= 0) & (sex >= 0)
        return torch.where(known, sex * len(GROUP_NAMES["emotion"]) + mood, -1)

    def sentences(self, labels: Tensor, scores: Tensor) -> Tensor:
        """The sentence `[B, D]` to come near to: who speaks how; else the event; else the mean
        of the class names the teacher scores."""
        vague = F.normalize(scores.clamp(min=1e-4).square() @ self.names, dim=-1)
        for name, classes in (("event", labels[:, 0]), ("spoken", self.spoken(labels))):
            drawn = self.banks[name].draw_for(classes.clamp(min=0), self.generator)
            vague = torch.where((classes >= 0)[:, None], drawn, vague)
        return vague


def losses(
    model: Teaching, batch: dict[str, Tensor], targets: Targets, config: SoundTraining
) -> dict[str, Tensor]:
    """All terms of one batch, weighted."""
    views = torch.cat([batch["views"][:, 0], batch["views"][:, 1]])[:, None]
    views = mask_bands(views, targets.generator).contiguous(memory_format=torch.channels_last)
    with fast_autocast(views.device):
        heard, embedding, logits = model(views)
    labels, scores = batch["labels"].long().repeat(2, 1), batch["scores"].repeat(2, 1)
    wanted = batch["embeddings"].repeat(2, 1, 1)
    t, draw = config.temperature, targets.generator
    near = 1 - F.cosine_similarity(embedding.relu(), wanted, dim=-1).mean()
    terms = {
        "embedding": config.embedding * (near + (embedding - wanted).square().mean() * 20),
        "scores": config.scores * F.binary_cross_entropy_with_logits(logits, scores) * 10,
        "labels": config.labels * label_loss(heard, targets.banks["labels"].draw(draw), scores, t),
    }
    classes = {name: labels[:, i] for i, name in enumerate(GROUP_NAMES)}
    for name, group in {**classes, "spoken": targets.spoken(labels)}.items():
        texts = targets.banks[name].draw(draw)
        terms[name] = config.groups * info_nce(heard, texts, group, t)
    sentence = targets.sentences(labels, scores)
    terms["target"] = config.target * (1 - (heard * sentence).sum(dim=1)).mean()
    good, worse = heard.chunk(2)
    terms["views"] = config.views * (1 - (good.detach() * worse).sum(dim=1)).mean()
    return terms


def take(cache: dict[str, Tensor], index: Tensor) -> dict[str, Tensor]:
    """A batch of the cache as float32."""
    return {name: values[index].float() for name, values in cache.items()}


def learning_rate(done: float, peak: float) -> float:
    """A short rise, then half a cosine; `done` runs from 0 to 1."""
    rise = min(1.0, done / 0.05 + 0.02)
    return peak * rise * (0.5 + 0.5 * math.cos(math.pi * min(done, 1.0)))


def train(
    run: Run, cache: dict[str, Tensor], targets: Targets, config: SoundTraining, classes: int
) -> SoundEncoder:
    """Train to the end of steps or minutes; returns the averaged encoder."""
    model = Teaching(SoundEncoder(), classes)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = Average(model, half_life=config.batch * 150.0)
    optimiser = torch.optim.AdamW(model.parameters(), config.rate, weight_decay=config.decay)
    parts = {"model": model, "average": average, "optimiser": optimiser}
    run.resume(parts)
    run.start_clock()
    generator = torch.Generator().manual_seed(run.config.seed + run.step)
    started, first, count = time.monotonic(), run.step, len(cache["labels"])
    for step in run.steps(parts, config.batch):
        done = step / run.config.steps
        if run.config.minutes:  # a resumed run goes on from its share of the steps
            clock = (time.monotonic() - started) / (run.config.minutes * 60)
            done = max(done, first / run.config.steps + (1 - first / run.config.steps) * clock)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(done, config.rate)
        batch = take(cache, torch.randint(count, (config.batch,), generator=generator))
        terms = losses(model, batch, targets, config)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 3.0)
        optimiser.step()
        average.update(model, config.batch, run.images)
        run.log(dict(terms))
    return average.module.encoder  # type: ignore[return-value]


def notes(assets: Path) -> dict[str, object]:
    """What the weights saw, for the JSON beside them."""
    seen = [row for row in rows(assets / "sounds") if split_of(row) == "train"]
    return {
        "trained_on": licences(seen),
        "restriction": NON_COMMERCIAL,
        "teacher": "YAMNet (Apache-2.0), scores and embeddings",
        "sentences": "all-MiniLM-L6-v2 (MIT)",
        "split": "by speaker and source recording; one in five held out",
    }


def main() -> None:
    """Parse, cache, train, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=Path, required=True, help="folder of sounds and teachers")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=40, help="of 1000 examples")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    run = start(RunConfig(args.out, args.steps, args.minutes, args.seed, 2.0), accelerator="cpu")
    teacher = Yamnet(args.assets / "teachers")

    def maker(seed: int) -> ExampleMaker:
        clips = [row for row in rows(args.assets / "sounds") if split_of(row) == "train"]
        return ExampleMaker(args.assets / "sounds", clips, teacher, seed)

    make_cache(args.out / "cache", args.shards, 1000, maker, lambda i: print(f"shard {i}"))
    targets = Targets(banks(teacher.names, args.out / "bank.pt"), args.seed)
    cache = load_cache(args.out / "cache")
    encoder = train(run, cache, targets, SoundTraining(), len(teacher.names))
    save_encoder(encoder.float(), args.out / "encoder", notes(args.assets))


if __name__ == "__main__":
    main()
