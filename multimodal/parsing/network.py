"""The network that parses a face; its trunk knows ImageNet (EfficientNet-Lite0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.parsing.classes import CLASSES

TRUNK = "tf_efficientnet_lite0"
_DEEP = 32  # the trunk's coarsest scale


@dataclass(frozen=True)
class ParserConfig:
    """Shape of a `ParserNetwork`.

    Args:
        side: of the square pictures that it is shown, in pixels.
        widths: channels in which the scales meet, and those from which classes are read.
        classes: what its planes stand for, `multimodal.parsing.CLASSES`.

    Raises:
        ValueError: an impossible shape, or other classes.
    """

    side: int = 256
    widths: tuple[int, ...] = (192, 96)
    classes: tuple[str, ...] = CLASSES

    def __post_init__(self) -> None:
        if self.side < 64 or self.side > 1024 or self.side % _DEEP:
            raise ValueError(f"side {self.side} is not a multiple of {_DEEP} in 64..1024")
        if len(self.widths) != 2 or min(self.widths) < 8 or max(self.widths) > 512:
            raise ValueError(f"widths {self.widths}: two from 8 to 512 are needed")
        if self.classes != CLASSES:
            raise ValueError(f"classes {self.classes} are not {CLASSES}")

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> ParserConfig:
        """Read parsed JSON back; an unknown entry is a ValueError."""
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise ValueError(f"unknown entries {unknown} of a parser")
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


class ParserNetwork(nn.Module):
    """Faces to the classes of their pixels.

    The trunk's features of every scale meet at half the side of the picture, each through a linear
    map of its own (as in feature pyramids: Kirillov et al. 2019, arXiv 1901.02446), and two small
    layers read the class from their sum. So every pixel is told by itself from what all scales
    see about it, and may be learnt from by itself (hypercolumns: Hariharan et al. 2015, arXiv
    1411.5752; sampled pixels: Bansal et al. 2017, arXiv 1702.06506).

    Args:
        config: its shape.
    """

    def __init__(self, config: ParserConfig | None = None) -> None:
        super().__init__()
        import timm

        self.config = config or ParserConfig()
        trunk: Any = timm.create_model(TRUNK, features_only=True, pretrained=False)
        self.trunk: nn.Module = trunk
        first, second = self.config.widths
        scales: list[int] = list(trunk.feature_info.channels())
        self.maps = nn.ModuleList(nn.Conv2d(c, first, 1, bias=k == 0) for k, c in enumerate(scales))
        self.read = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(first, second, 1),
            nn.ReLU(),
            nn.Conv2d(second, len(CLASSES), 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Pictures `[B, 3, H, W]` in [-1, 1], sides multiples of 32, to logits `[B, C, H, W]`."""
        logits = self.decode(self.trunk(images))
        return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)

    def decode(self, features: list[Tensor]) -> Tensor:
        """The trunk's features, from 1/2 to 1/32 of the side, to logits `[B, C, H / 2, W / 2]`."""
        total = self.maps[0](features[0])
        for one, coarse in zip(list(self.maps)[1:], features[1:], strict=True):
            size = total.shape[-2:]
            total = total + F.interpolate(one(coarse), size, mode="bilinear", align_corners=False)
        return self.read(total)
