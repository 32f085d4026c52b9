"""Which attributes does a face show? A small network that judges edits and never guides them.

It learned from renders whose factors are known exactly (`recipes.judge.train_judge`). Nothing in
`guidance/` may use it: a figure measured by what was optimised says nothing. The reader that sets
goals in `recipes.factors.factor_words` is another network of this shape, learned from other
renders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError, atomic, check_file
from multimodal.generators.native import config_path, read_json, write_safetensors
from multimodal.recognition.identity import Block

FILE_NAME = "judge.safetensors"
YEARS = "years"
_MIDDLE, _SPAN = 40.0, 40.0

Reading = dict[str, Tensor]
"""Attribute to probabilities of its classes `[B, C]`; "years" to ages `[B]`."""


# The face without hair and background, as shares of an aligned picture: rows, then columns.
_ROWS, _COLUMNS = (0.25, 0.89), (0.18, 0.82)


@dataclass(frozen=True)
class JudgeConfig:
    """Shape of a `Judge`: one network looks at the whole picture, one at the face closely.

    Args:
        classes: the classes of every attribute, in the order of its probabilities.
        whole: side that the picture is brought to.
        face: side that the face's part of it is brought to.
        whole_widths: channels of the stem (half the side) and of the stages at 1/4, 1/8 and 1/16.
        face_widths: the same for the face.
        hidden: features that all attributes are read from.
    """

    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    whole: int = 64
    face: int = 80
    whole_widths: tuple[int, ...] = (16, 32, 48, 64)
    face_widths: tuple[int, ...] = (16, 32, 64, 128)
    hidden: int = 192

    def __post_init__(self) -> None:
        if not self.classes or any(len(c) < 2 for c in self.classes.values()):
            raise ValueError("a judge needs attributes, and two classes or more in each")
        for size in (self.whole, self.face):
            if size < 32 or size % 16:
                raise ValueError(f"size {size} is not a multiple of 16 from 32 up")
        for widths in (self.whole_widths, self.face_widths):
            if len(widths) != 4:
                raise ValueError(f"widths {widths}: four are needed")

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> JudgeConfig:
        """Read parsed JSON back (lists become tuples)."""
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        plain["classes"] = {name: tuple(c) for name, c in values["classes"].items()}
        return cls(**plain)

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


class Look(nn.Sequential):
    """Pictures `[B, 3, size, size]` to features `[B, 2 * widths[-1]]`."""

    def __init__(self, size: int, widths: tuple[int, ...]) -> None:
        stem, last = widths[0], widths[-1]
        super().__init__(
            nn.Conv2d(3, stem, 3, 2, 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.PReLU(stem),
            *(Block(a, b, 2) for a, b in pairwise(widths)),
            # One weight a place and channel tells hair from beard, which a plain mean would not.
            nn.Conv2d(last, 2 * last, size // 16, groups=last),
            nn.Flatten(),
        )


class Judge(nn.Module):
    """Aligned faces `[B, 3, H, W]` in [-1, 1], any size, to what they show.

    Args:
        config: its shape.
        figures: held-out accuracies by name, as measured when it was trained.
    """

    def __init__(self, config: JudgeConfig, figures: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.config, self.figures = config, dict(figures or {})
        self.whole = Look(config.whole, config.whole_widths)
        self.face = Look(config.face, config.face_widths)
        inside = 2 * (config.whole_widths[-1] + config.face_widths[-1])
        self.hidden = nn.Sequential(nn.Linear(inside, config.hidden), nn.PReLU(config.hidden))
        self.sizes = [len(c) for c in config.classes.values()]
        self.head = nn.Linear(config.hidden, sum(self.sizes) + 1)

    def forward(self, images: Tensor) -> Reading:
        """Logits `[B, C]` of every attribute, and "years" `[B]`."""
        height, width = images.shape[-2:]
        rows = slice(round(_ROWS[0] * height), round(_ROWS[1] * height))
        columns = slice(round(_COLUMNS[0] * width), round(_COLUMNS[1] * width))
        whole = _resized(images, self.config.whole)
        face = _resized(images[:, :, rows, columns], self.config.face)
        features = torch.cat([self.whole(whole), self.face(face)], dim=1)
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
    about = {"judge": asdict(judge.config), "figures": judge.figures}
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
        tensors = read_tensors(path)
        with within(tensors, config_path(path).name):
            judge = Judge(JudgeConfig.from_plain(about["judge"]), about.get("figures"))
        judge.load_state_dict(tensors)
    except (OverflowError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a judge: {error}") from error
    return judge.float().eval().requires_grad_(False).to(device)


def _resized(images: Tensor, side: int) -> Tensor:
    if images.shape[-2:] == (side, side):
        return images
    small = F.interpolate(images, (side, side), mode="bilinear", antialias=True)
    return small.contiguous(memory_format=torch.channels_last)
