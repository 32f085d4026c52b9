"""Parts of one's own from a handful of labelled drawings: a generator's features know them.

What a generator draws, its features say at every pixel, so that a small network read off a few
labelled drawings finds the same parts in every other drawing (Tritrong, Rewatbowornwong and
Suwajanakorn 2021, arXiv 2103.04379, section 3.2; Zhang et al. 2021, DatasetGAN, arXiv 2104.06490).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError, atomic
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.types import OnStep, Progress

UNLABELLED = 255
SIDE = 128
"""Longest side at which labels are read off features."""
MOST_CLASSES, MOST_FACES, MOST_PIXELS = 64, 64, 400_000
_NAMES = "names"


@dataclass(frozen=True)
class FewOptions:
    """How the network is fitted.

    Args:
        steps: of Adam.
        batch: pixels a step.
        lr: of Adam.
        hidden: channels of the hidden layer, or 0: a linear map.
        decay: weight decay.
        seed: everything random follows from it.

    Raises:
        ValueError: a figure out of range.
    """

    steps: int = 300
    batch: int = 2048
    lr: float = 3e-3
    hidden: int = 64
    decay: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or not 0 <= self.hidden <= 1024 or self.lr <= 0:
            raise ValueError("steps, batch and lr are above 0; hidden is 0 to 1024")


@dataclass(frozen=True, eq=False)
class FewParser:
    """Reads parts off a generator's features.

    Args:
        names: of the parts, label 0 first.
        network: features of a pixel to logits.
        mean: of the features, `[C]`.
        scale: their standard deviations.
    """

    names: tuple[str, ...]
    network: nn.Sequential
    mean: Tensor
    scale: Tensor

    @torch.no_grad()
    def probabilities(self, generator: StyleGAN2, w: Tensor) -> Tensor:
        """How likely each pixel of the drawings of `w` `[B, L, D]` shows each part,
        `[B, parts, S, S]`.

        Raises:
            ValueError: a generator of another shape.
        """
        seen = features_of(generator, w)
        if seen.shape[1] != len(self.mean):
            raise ValueError(
                f"these labels were learnt from another generator: it has {len(self.mean)} "
                f"channels, this one {seen.shape[1]}"
            )
        rows = seen.permute(0, 2, 3, 1).reshape(-1, seen.shape[1])
        logits = self.network((rows - self.mean) / self.scale)
        shape = (seen.shape[0], *seen.shape[2:], len(self.names))
        return logits.reshape(shape).softmax(-1).permute(0, 3, 1, 2)

    def save(self, path: str | Path) -> Path:
        """Write one `.safetensors`; returns the path."""
        from safetensors.torch import save_file

        path = Path(path)
        state = {f"network.{k}": v.contiguous() for k, v in self.network.state_dict().items()}
        state |= {"mean": self.mean, "scale": self.scale}
        with atomic(path) as part:
            save_file(state, part, {_NAMES: json.dumps(list(self.names))})
        return path

    @staticmethod
    def load(path: str | Path) -> FewParser:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            WeightsError: it holds something else.
        """
        path = Path(path)
        tensors = read_tensors(path)
        try:
            with safe_open(path, "pt") as file:
                names = json.loads((file.metadata() or {})[_NAMES])
            mean, scale = tensors.pop("mean"), tensors.pop("scale")
            state = {k.removeprefix("network."): v for k, v in tensors.items()}
            hidden = 0 if len(state) == 2 else len(state["0.bias"])
            network = _network(len(mean), hidden, len(names))
            network.load_state_dict(state)
            if not all(isinstance(name, str) for name in names) or scale.shape != mean.shape:
                raise ValueError("its parts have no names")
        except (KeyError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
            raise WeightsError(f"{path.name} holds no learnt labels: {error}") from error
        return FewParser(tuple(names), network.eval().requires_grad_(False), mean, scale)


def features_of(generator: StyleGAN2, w: Tensor) -> Tensor:
    """Features of the drawings of `w` `[B, L, D]`: the last layer of every scale, enlarged to one
    side, `[B, C, S, S]` on the CPU.

    Raises:
        ValueError: not a StyleGAN2.
    """
    if not isinstance(generator, StyleGAN2):
        family = getattr(generator, "family", type(generator).__name__)
        raise ValueError(f"labels are read off a StyleGAN2's features; this is a {family}")
    side, found = min(generator.resolution, SIDE), []

    def look(index: int, x: Tensor) -> Tensor:
        if index == 0 or index % 2 == 0:  # the second layer of a scale; 4 x 4 has only one
            smaller = x.shape[-1] > side
            how = {"mode": "area"} if smaller else {"mode": "bilinear", "align_corners": False}
            found.append(F.interpolate(x.float(), (side, side), **how).cpu())  # type: ignore[arg-type]
        return x

    with torch.no_grad():
        generator.synthesize(w.to(generator.device), on_features=look)
    return torch.cat(found, 1)


def learn_labels(
    generator: StyleGAN2,
    codes: Tensor,
    labels: Sequence[np.ndarray],
    names: Sequence[str] = (),
    options: FewOptions | None = None,
    on_step: OnStep | None = None,
) -> FewParser:
    """Learn parts from labelled drawings.

    Args:
        generator: a StyleGAN2, which drew them.
        codes: theirs, `[N, L, D]`; a handful is enough.
        labels: for each a picture of numbers `[H, W]`; 255 is not labelled.
        names: of the numbers from 0; by default "part 0", ...
        options: of the fit.
        on_step: told of every step.

    Raises:
        ValueError: no labels, or not as many as codes, or too few names.
    """
    options = options or FewOptions()
    targets = [_targets(label, min(generator.resolution, SIDE)) for label in labels]
    if not targets or len(targets) != len(codes) or len(targets) > MOST_FACES:
        raise ValueError(f"{len(targets)} labels for {len(codes)} faces: 1 to {MOST_FACES} pairs")
    used = [int(t[t != UNLABELLED].max(initial=0)) for t in targets]
    count = max(used) + 1
    if not 2 <= count <= MOST_CLASSES:
        raise ValueError(f"labels name {count} parts: 2 to {MOST_CLASSES} are needed, from 0")
    if names and len(names) < count:
        raise ValueError(f"{len(names)} names for {count} parts")
    said = tuple(names) or tuple(f"part {n}" for n in range(count))
    source = torch.Generator().manual_seed(options.seed)
    rows, wanted = _pixels(generator, codes, targets, source)
    mean, scale = rows.mean(0), rows.std(0).clamp_min(1e-4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = _network(rows.shape[1], options.hidden, len(said))
    _fit(network, (rows - mean) / scale, wanted, options, source, on_step)
    return FewParser(said, network.eval().requires_grad_(False), mean, scale)


def _pixels(
    generator: StyleGAN2, codes: Tensor, targets: list[np.ndarray], source: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Features and labels of the labelled pixels; the same number from every drawing at most."""
    most = MOST_PIXELS // len(targets)
    rows, wanted = [], []
    for code, target in zip(codes.split(1), targets, strict=True):
        seen = features_of(generator, code)[0].flatten(1).T
        flat = torch.from_numpy(target.astype(np.int64)).flatten()
        places = (flat != UNLABELLED).nonzero()[:, 0]
        places = places[torch.randperm(len(places), generator=source)[:most]]
        rows.append(seen[places])
        wanted.append(flat[places])
    return torch.cat(rows), torch.cat(wanted)


def _fit(
    network: nn.Sequential,
    rows: Tensor,
    wanted: Tensor,
    options: FewOptions,
    source: torch.Generator,
    on_step: OnStep | None,
) -> None:
    """Adam on the cross entropy; rare parts weigh as the root of how rare they are."""
    counts = torch.bincount(wanted, minlength=network(rows[:1]).shape[1]).float()
    weight = (counts.sum() / counts.clamp_min(1)).sqrt() * (counts > 0)
    optimizer = torch.optim.AdamW(network.parameters(), options.lr, weight_decay=options.decay)
    with torch.enable_grad():
        for step in range(options.steps):
            some = torch.randint(len(rows), (min(options.batch, len(rows)),), generator=source)
            loss = F.cross_entropy(network(rows[some]), wanted[some], weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if on_step is not None:
                on_step(Progress(step + 1, options.steps, {"loss": float(loss.detach())}))


def _network(inputs: int, hidden: int, classes: int) -> nn.Sequential:
    if not hidden:
        return nn.Sequential(nn.Linear(inputs, classes))
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def _targets(label: np.ndarray, side: int) -> np.ndarray:
    """Numbers `[H, W]` at the side of the features: the nearest one."""
    if label.ndim != 2 or min(label.shape) < 1:
        raise ValueError(f"labels are pictures of numbers [H, W], got {label.shape}")
    at = [((np.arange(side) + 0.5) * size / side).astype(int) for size in label.shape]
    picked: np.ndarray = label[np.ix_(*at)]
    return picked
