"""The network that parses a face; its trunk began with ImageNet's weights (EfficientNet-Lite0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from multimodal.parsing.classes import CLASSES

TRUNK = "tf_efficientnet_lite0"
_DEEP = 32  # the trunk's coarsest scale
_PIXELS = 16  # channels of what is read from the picture itself


@dataclass(frozen=True)
class ParserConfig:
    """Shape of a `ParserNetwork`.

    Args:
        side: of the square pictures that it is shown, in pixels.
        widths: channels in which the coarse scales meet, and those of the finest.
        classes: what its planes stand for, `multimodal.parsing.CLASSES`.

    Raises:
        ValueError: an impossible shape, or other classes.
    """

    side: int = 256
    widths: tuple[int, ...] = (96, 48)
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

    The trunk's features go from its coarsest scale to half the side of the picture, at each through
    a linear map of its own (feature pyramids: Lin et al. 2017, arXiv 1612.03144) and a depthwise
    block. The picture itself joins at half its side, four pixels to a place, and the classes of
    all four are told apart there (sub-pixel convolution: Shi et al. 2016, arXiv 1609.05158), so
    that eyes and brows a few pixels high have edges of their own.

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
        scales[0] += _PIXELS
        widths = [second, *[first] * (len(scales) - 1)]
        self.pixels = nn.Conv2d(12, _PIXELS, 3, padding=1)
        self.maps = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(scales, widths, strict=True))
        self.mixes = nn.ModuleList(_Mix(w) for w in widths)
        self.narrow = nn.Conv2d(first, second, 1)
        self.read = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(second, second, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(second, 4 * len(CLASSES), 1),
            nn.PixelShuffle(2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Pictures `[B, 3, H, W]` in [-1, 1], sides multiples of 32, to logits `[B, C, H, W]`."""
        return self.decode(images, self.trunk(images))

    def decode(self, images: Tensor, features: list[Tensor]) -> Tensor:
        """Pictures, and the trunk's features from 1/2 to 1/32 of their side, to logits."""
        total = self.mixes[-1](self.maps[-1](features[-1]))
        for k in reversed(range(1, len(features) - 1)):
            total = self.mixes[k](self.maps[k](features[k]) + _enlarged(total))
        own = F.relu(self.pixels(F.pixel_unshuffle(images, 2)))
        fine = self.maps[0](torch.cat([features[0], own.to(features[0])], 1))
        logits: Tensor = self.read(self.mixes[0](fine + _enlarged(self.narrow(total))))
        return logits


class _Mix(nn.Module):
    """What neighbouring places tell each other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.across = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.across(F.relu(self.around(F.relu(x))))


def _enlarged(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


@torch.no_grad()
def folded(network: ParserNetwork) -> ParserNetwork:
    """The same network, in place, its trunk's normalisation folded into the convolutions before it:
    it answers as before, faster, and learns no more."""
    for parent in network.trunk.modules():
        before: nn.Module | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
                fused = fuse_conv_bn_eval(before, child)
                before.weight, before.bias = fused.weight, fused.bias
                setattr(parent, name, getattr(child, "act", nn.Identity()))
            before = child
    return network
