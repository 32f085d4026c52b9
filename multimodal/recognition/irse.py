"""The IR-SE50 body shared by ArcFace and the e4e, pSp and ReStyle encoders.

An improved ResNet-50 (Deng et al. 2019, "ArcFace", arXiv 1801.07698) with squeeze-and-excitation
(Hu et al. 2018, arXiv 1709.01507). The key layout is the one of the public checkpoints:
`input_layer.{0-2}`, `body.{0-23}.res_layer.{0-5}`, `body.{i}.shortcut_layer.{0,1}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

TAPS = (6, 20, 23)
"""Body blocks after which the encoders read features: 1/4, 1/8 and 1/16 of the input size."""


@dataclass(frozen=True)
class BlockConfig:
    """One residual block: channels in, channels out, stride of its second convolution."""

    width_in: int
    width: int
    stride: int


# (channels in, channels out, number of blocks); the first block of each stage halves the size.
IRSE50_STAGES = ((64, 64, 3), (64, 128, 4), (128, 256, 14), (256, 512, 3))


def block_configs(stages: Sequence[tuple[int, int, int]] = IRSE50_STAGES) -> list[BlockConfig]:
    """The blocks of all stages in order (24 for IR-SE50)."""
    blocks = []
    for width_in, width, count in stages:
        blocks.append(BlockConfig(width_in, width, stride=2))
        blocks += [BlockConfig(width, width, stride=1)] * (count - 1)
    return blocks


class SqueezeExcite(nn.Module):
    """Scales channels by a gate computed from their spatial means; `[B, C, H, W]` -> same."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gated `x`, `[B, C, H, W]`."""
        gate = self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu())
        return x * gate.sigmoid()


class BottleneckIRSE(nn.Module):
    """BN, conv, PReLU, strided conv, BN, squeeze-excite, plus a shortcut.

    `[B, width_in, H, W]` -> `[B, width, ceil(H / stride), ceil(W / stride)]`.
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        width_in, width, stride = config.width_in, config.width, config.stride
        self.shortcut_layer = (
            nn.MaxPool2d(1, stride)  # no weights: only the subsampling
            if width_in == width
            else nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )
        )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(width_in),
            nn.Conv2d(width_in, width, 3, 1, 1, bias=False),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            SqueezeExcite(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        return self.res_layer(x) + self.shortcut_layer(x)


def irse_input_layer(channels_in: int = 3) -> nn.Sequential:
    """The stem, `[B, channels_in, H, W]` -> `[B, 64, H, W]` (6 channels in for ReStyle)."""
    return nn.Sequential(
        nn.Conv2d(channels_in, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
    )


def irse_body(stages: Sequence[tuple[int, int, int]] = IRSE50_STAGES) -> nn.Sequential:
    """The residual blocks, `[B, 64, H, W]` -> `[B, 512, H/16, W/16]`."""
    return nn.Sequential(*(BottleneckIRSE(config) for config in block_configs(stages)))


class IRSE50(nn.Module):
    """Stem and body; a base for networks whose checkpoints hold `input_layer.*` and `body.*`.

    Args:
        channels_in: 3, or 6 for ReStyle (image and previous reconstruction).
    """

    def __init__(self, channels_in: int = 3) -> None:
        super().__init__()
        self.input_layer = irse_input_layer(channels_in)
        self.body = irse_body()

    def features(self, x: Tensor, taps: Sequence[int] = TAPS) -> list[Tensor]:
        """Maps after the body blocks named in `taps` (increasing indices, 0-23).

        At the default taps: `[B, 128, H/4, W/4]`, `[B, 256, H/8, W/8]`, `[B, 512, H/16, W/16]`.
        """
        found = []
        x = self.input_layer(x)
        for index, block in enumerate(self.body):
            x = block(x)
            if index in taps:
                found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Features of the last block, `[B, 512, H/16, W/16]`."""
        return self.body(self.input_layer(x))
