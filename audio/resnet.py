"""The residual network of 18 layers (He et al. 2015) under the key names of public checkpoints.

Two public sound encoders stand on it; one is thus read by `load_state_dict` with no renaming.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module | None = None
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` -> `[B, C', H', W']`."""
        kept = x if self.downsample is None else self.downsample(x)
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + kept)


class ResNet18(nn.Module):
    """`[B, C, H, W]` -> pooled features `[B, 512]`, or `[B, outputs]` through `fc`."""

    def __init__(self, channels: int, outputs: int | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inside = 64
        for index, width in enumerate((64, 128, 256, 512), start=1):
            stage = nn.Sequential(
                BasicBlock(inside, width, 1 if index == 1 else 2), BasicBlock(width, width, 1)
            )
            self.add_module(f"layer{index}", stage)
            inside = width
        self.fc = nn.Identity() if outputs is None else nn.Linear(512, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Convolutions, then the mean over all places."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for index in range(1, 5):
            x = getattr(self, f"layer{index}")(x)
        return self.fc(x.mean(dim=(2, 3)))
