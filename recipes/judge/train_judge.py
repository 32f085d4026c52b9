"""Train the judge of edits on renders, whose factors are known exactly.

    python -m recipes.judge.train_judge --data renders/pairs --heldout renders/heldout \
        --out runs/judge --minutes 9

The judge measures whether an edit did what was asked (`semblance evaluate`); no guidance method
ever sees it. It is trained on views with the flaws that generated pictures have, so that it reads
those as it reads renders.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.recognition.judge import FILE_NAME, YEARS, Judge, JudgeConfig, save_judge
from recipes.clip.clip_augment import augment
from recipes.data import Faces, index_batches
from recipes.judge.train_identity import progress_of
from recipes.loop import Average, Run, RunConfig, start
from recipes.render.factors import BEARD_STYLES, EXPRESSIONS, HAIR_COLORS, Factors
from recipes.render.words.captions import labels

UNKNOWN = -1
"""Label of an attribute that a picture does not show: the colour of a bald head's hair."""

SIDE = 128
"""Of the pictures the judge is trained on."""

VARIED = 0.6
"""Share of the pictures that are seen changed; the others teach fine marks faster."""

CLASSES: dict[str, tuple[str, ...]] = {
    "sex": ("female", "male"),
    "age": ("child", "young", "middle", "old"),
    "hair_color": tuple(HAIR_COLORS),
    "hair_length": ("none", "short", "medium", "long"),
    "hair_style": (
        *("other", "bald", "balding", "buzz", "afro", "ponytail", "braid", "bob", "wavy"),
    ),
    "bald": ("no", "yes"),
    "beard": BEARD_STYLES,
    "glasses": ("none", "clear", "sunglasses"),
    "expression": EXPRESSIONS,
    "skin": ("light", "medium", "dark"),
    "lipstick": ("no", "yes"),
    "freckles": ("no", "yes"),
    "weight": ("thin", "average", "heavy"),
    "hat": ("no", "yes"),
    "makeup": ("no", "yes"),
}
"""What the judge tells apart, in the classes of `recipes.render.words.captions.labels`."""


def classes_of(factors: Factors) -> dict[str, str]:
    """The class of a render in every attribute that it shows."""
    known = labels(factors)
    known["bald"] = "yes" if factors.hair_style in ("bald", "balding") else "no"
    known.setdefault("weight", "average")
    known.setdefault("makeup", "no")
    if factors.hat:
        return {name: value for name, value in known.items() if name != "bald"}
    known.setdefault("hair_style", "other")
    return known


def label_matrix(rows: Sequence[Mapping[str, Any]]) -> Tensor:
    """Class indices `[N, len(CLASSES)]` of renders' factors, `UNKNOWN` where nothing shows."""
    out = torch.full((len(rows), len(CLASSES)), UNKNOWN)
    for row, values in enumerate(rows):
        known = classes_of(Factors.from_dict(dict(values)))
        for column, (name, classes) in enumerate(CLASSES.items()):
            if name in known:
                out[row, column] = classes.index(known[name])
    return out


@dataclass(frozen=True)
class Renders:
    """Labelled pictures of one or more folders of shards.

    Args:
        folders: pictures, folder after folder.
        labels: `[N, len(CLASSES)]`.
        years: `[N]`.
    """

    folders: tuple[Faces, ...]
    labels: Tensor
    years: Tensor

    @classmethod
    def read(cls, folders: Sequence[Path], size: int = SIDE) -> Renders:
        """The shards of those folders, pictures brought to `size` pixels a side."""
        faces = tuple(Faces(folder, size) for folder in folders)
        rows = [row for one in faces for row in one.column("factors")]
        years = torch.tensor([float(row["age"]) for row in rows])
        return cls(faces, label_matrix(rows), years)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: np.ndarray) -> Tensor:
        """Pictures `[n, 3, size, size]` in [-1, 1]; the order within a batch is kept."""
        ends = np.cumsum([len(one) for one in self.folders])
        owner = np.searchsorted(ends, indices, side="right")
        first = self.folders[0].batch(np.array([0]))
        out = torch.empty(len(indices), *first.shape[1:])
        for number, one in enumerate(self.folders):
            mine = np.flatnonzero(owner == number)
            if len(mine):
                out[torch.from_numpy(mine)] = one.batch(indices[mine] - ends[number] + len(one))
        return out


def class_weights(known: Tensor) -> list[Tensor]:
    """Weight of every class `[C]` of every attribute: rare ones count more, by the square root."""
    weights = []
    for column, classes in enumerate(CLASSES.values()):
        counts = Counter(known[:, column].tolist())
        shares = torch.tensor([float(counts[i] + 1) for i in range(len(classes))])
        rare = (shares.sum() / shares).sqrt()
        weights.append(rare / (rare * shares).sum() * shares.sum())
    return weights


def loss_of(
    judge: Judge, images: Tensor, known: Tensor, years: Tensor, weights: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Cross entropy of every attribute and the error of the age, scalars."""
    found = judge(images)
    terms = {}
    for column, name in enumerate(CLASSES):
        wanted = known[:, column].to(images.device)
        if bool((wanted != UNKNOWN).any()):
            weight = weights[column].to(images.device)
            terms[name] = F.cross_entropy(found[name], wanted, weight, ignore_index=UNKNOWN)
    terms[YEARS] = F.smooth_l1_loss(found[YEARS] / 10, years.to(images.device) / 10)
    return terms


def views(images: Tensor, source: torch.Generator, share: float = VARIED) -> Tensor:
    """Views of which a share is augmented and half are mirrored: no class has a side."""
    flip = torch.rand(len(images), 1, 1, 1, generator=source) < 0.5
    images = torch.where(flip, images.flip(3), images)
    varied = torch.rand(len(images), generator=source) < share
    if bool(varied.any()):
        images[varied] = augment(images[varied], source)
    return images


def train(run: Run, data: Renders, judge: Judge, batch: int, lr: float) -> Judge:
    """Train to the end of the run's steps or minutes; returns the averaged judge."""
    optimizer = torch.optim.AdamW(judge.parameters(), lr=lr, weight_decay=0.02)
    average = Average(judge, half_life=3000)
    parts: dict[str, Any] = {"judge": judge, "average": average, "optimizer": optimizer}
    run.resume(parts)
    weights = class_weights(data.labels)
    source = torch.Generator().manual_seed(run.config.seed + run.step)
    batches = index_batches(len(data), batch, run.config.seed + run.step)
    run.start_clock()
    begun = time.monotonic()
    for _ in run.steps(parts, batch):
        done = progress_of(run, begun)
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (run.step + 1) / 100) * max(1 - done, 0.02)
        index = next(batches)
        images = views(data.batch(index), source).to(run.fabric.device)
        images = images.contiguous(memory_format=torch.channels_last)
        terms = loss_of(judge, images, data.labels[index], data.years[index], weights)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 5.0)
        optimizer.step()
        average.update(judge, batch, run.images + batch)
        run.log({"loss": loss.detach()})
    trained = average.module
    assert isinstance(trained, Judge)
    return trained


@torch.no_grad()
def accuracies(
    judge: Judge, data: Renders, change: Callable[[Tensor], Tensor] | None = None
) -> dict[str, float]:
    """Mean over an attribute's classes of the share read right, `<attribute>_plain` over all
    pictures, and the mean absolute error of the age in years."""
    device = next(judge.parameters()).device
    readings: list[dict[str, Tensor]] = []
    for begin in range(0, len(data), 64):
        images = data.batch(np.arange(begin, min(begin + 64, len(data))))
        readings.append(judge.read((change(images) if change else images).to(device)))
    years = torch.cat([r[YEARS] for r in readings])
    out: dict[str, float] = {"pictures": float(len(data))}
    for column, name in enumerate(CLASSES):
        said, true = torch.cat([r[name] for r in readings]).argmax(dim=1), data.labels[:, column]
        right = (said == true).float()
        shares = [right[true == k].mean() for k in true.unique() if k != UNKNOWN]
        out[name] = round(float(torch.stack(shares).mean()), 4)
        out[f"{name}_plain"] = round(float(right[true != UNKNOWN].mean()), 4)
    out[YEARS] = round(float((years - data.years).abs().mean()), 2)
    return out


def measure(judge: Judge, data: Renders, seed: int = 0) -> dict[str, float]:
    """Held-out accuracies on plain pictures, and (`soft_...`) on views as training saw them."""
    source = torch.Generator().manual_seed(seed)
    worse = accuracies(judge, data, lambda images: augment(images, source))
    kept = {k: v for k, v in worse.items() if not k.endswith("_plain") and k != "pictures"}
    return accuracies(judge, data) | {f"soft_{name}": value for name, value in kept.items()}


def main() -> None:
    """Parse the command line, train, measure on held-out renders, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="shards with factors")
    parser.add_argument("--heldout", type=Path, help="shards to measure on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--widths", type=int, nargs=4, default=(16, 32, 64, 128),
                        help="channels of the network that looks at the face")  # fmt: skip
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run = start(RunConfig(options.out, options.steps, options.minutes, options.seed))
    shape = JudgeConfig(CLASSES, face_widths=tuple(options.widths))
    judge = Judge(shape).to(run.fabric.device)
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    data = Renders.read(options.data)
    trained = train(run, data, judge, options.batch, options.lr).eval()
    if options.heldout:
        heldout = Renders.read([options.heldout])
        trained.figures = measure(trained, heldout, options.seed)
        run.log({k: v for k, v in trained.figures.items() if "_" not in k}, force=True)
    save_judge(trained, options.out / FILE_NAME)


if __name__ == "__main__":
    main()
