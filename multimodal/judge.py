"""Which attributes does a face show? A small network that judges edits and never guides them.

It learned from renders whose factors are known exactly (`recipes.train_judge`). Nothing in
`guidance/` may use it: a figure measured by what was optimised says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from multimodal.generators.native import config_path, read_json, write_safetensors
from multimodal.identity import Block
from multimodal.weights import WeightsError, atomic, check_file

FILE_NAME = "judge.safetensors"
YEARS = "years"
_MIDDLE, _SPAN = 40.0, 40.0

Reading = dict[str, Tensor]
"""Attribute to probabilities of its classes `[B, C]`; "years" to ages `[B]`."""


@dataclass(frozen=True)
class JudgeConfig:
    """Shape of a `Judge`.

    Args:
        classes: the classes of every attribute, in the order of its probabilities.
        size: side that pictures are brought to.
        widths: channels of the stem (half the side) and of the stages at 1/4, 1/8 and 1/16.
        hidden: features that all attributes are read from.
    """

    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    size: int = 96
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    hidden: int = 192

    def __post_init__(self) -> None:
        if not self.classes or any(len(c) < 2 for c in self.classes.values()):
            raise ValueError("a judge needs attributes, and two classes or more in each")
        if self.size < 32 or self.size % 16:
            raise ValueError(f"size {self.size} is not a multiple of 16 from 32 up")

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> JudgeConfig:
        """Read parsed JSON back (lists become tuples)."""
        classes = {name: tuple(c) for name, c in values["classes"].items()}
        widths = tuple(int(w) for w in values["widths"])
        return cls(classes, int(values["size"]), widths, int(values["hidden"]))  # type: ignore[arg-type]

    def index(self, attribute: str, value: str) -> int:
        """Place of a class among its attribute's.

        Raises:
            ValueError: an attribute or a class the judge does not know.
        """
        if attribute not in self.classes:
            raise ValueError(f"attribute {attribute!r} is not one of {sorted(self.classes)}")
        if value not in self.classes[attribute]:
            raise ValueError(f"{attribute} {value!r} is not one of {self.classes[attribute]}")
        return self.classes[attribute].index(value)


class Judge(nn.Module):
    """Aligned faces `[B, 3, H, W]` in [-1, 1], any size, to what they show.

    Args:
        config: its shape.
        figures: held-out accuracies by name, as measured when it was trained.
    """

    def __init__(self, config: JudgeConfig, figures: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.config, self.figures = config, dict(figures or {})
        stem, *stages = config.widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem)
        )
        inside = (stem, *stages[:-1])
        self.body = nn.Sequential(*(Block(a, b, 2) for a, b in zip(inside, stages, strict=True)))
        last, grid = stages[-1], config.size // 16
        # One weight a place and channel tells hair from beard, which a plain mean would not.
        self.gather = nn.Conv2d(last, 2 * last, grid, groups=last)
        self.hidden = nn.Sequential(nn.Linear(2 * last, config.hidden), nn.PReLU(config.hidden))
        self.sizes = [len(c) for c in config.classes.values()]
        self.head = nn.Linear(config.hidden, sum(self.sizes) + 1)

    def forward(self, images: Tensor) -> Reading:
        """Logits `[B, C]` of every attribute, and "years" `[B]`."""
        size = (self.config.size,) * 2
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        features = self.gather(self.body(self.stem(images))).flatten(1)
        values = self.head(self.hidden(features)).float()
        logits, years = values[:, :-1].split(self.sizes, dim=1), values[:, -1]
        found = dict(zip(self.config.classes, logits, strict=True))
        return {**found, YEARS: years * _SPAN + _MIDDLE}

    @torch.no_grad()
    def read(self, images: Tensor) -> Reading:
        """Probabilities `[B, C]` of every attribute, and "years" `[B]`, on the CPU.

        Raises:
            ValueError: not a batch of RGB pictures.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"expected pictures [B, 3, H, W], got {tuple(images.shape)}")
        found = self(images.to(self.head.weight).clamp(-1, 1))
        return {k: (v if k == YEARS else v.softmax(dim=1)).cpu() for k, v in found.items()}


def save_judge(judge: Judge, path: str | Path) -> Path:
    """Write float16 weights, and shape and figures as JSON beside them; returns the path."""
    path = Path(path)
    state = judge.state_dict().items()
    write_safetensors(path, {k: v.half() if v.is_floating_point() else v for k, v in state})
    config = judge.config
    about = {
        "judge": {
            "classes": {name: list(c) for name, c in config.classes.items()},
            "size": config.size,
            "widths": list(config.widths),
            "hidden": config.hidden,
        },
        "figures": judge.figures,
    }
    with atomic(config_path(path)) as part:
        part.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return path


def load_judge(source: str | Path, device: torch.device | str = "cpu") -> Judge:
    """A judge written by `save_judge`, frozen; a folder means its `judge.safetensors`.

    Raises:
        FileNotFoundError: no such file, or no JSON beside it.
        WeightsError: it holds something else.
    """
    path = Path(source)
    path = check_file(path / FILE_NAME if path.is_dir() else path)
    try:
        about = read_json(config_path(path), path.name)
        judge = Judge(JudgeConfig.from_plain(about["judge"]), about.get("figures"))
        judge.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a judge: {error}") from error
    return judge.float().eval().requires_grad_(False).to(device)
