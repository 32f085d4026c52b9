"""The network of the face mesh in plain PyTorch (Kartynnik et al. 2019, arXiv 1907.06724).

A stack of blocks of a depthwise and a pointwise convolution with shortcuts (the design of
BlazeFace, arXiv 1907.05047) on a crop of 192 pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.fidelity.mesh.points import POINTS

SIDE = 192
TRUNK = ((16, 2), (32, 3), (64, 3), (128, 3), (128, 3))
"""Channels and blocks of each resolution; all but the first begin with half the side."""
NARROW = 32


class Block(nn.Module):
    """A depthwise and a pointwise convolution beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.added = stride, outputs - inputs
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.rectify = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, inputs, H, W]` to `[B, outputs, H / stride, W / stride]`."""
        kept = F.max_pool2d(x, 2) if self.stride == 2 else x
        kept = F.pad(kept, (0, 0, 0, 0, 0, self.added))
        return self.rectify(kept + self.pointwise(self.depthwise(padded(x, self.stride))))


class FaceMesh(nn.Module):
    """Finds the mesh in a crop of a face.

    Trained weights come from MediaPipe's `face_landmark.tflite` (Apache-2.0).
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, TRUNK[0][0], 3, 2)
        self.rectify = nn.PReLU(TRUNK[0][0])
        blocks, width = [], TRUNK[0][0]
        for level, (channels, count) in enumerate(TRUNK):
            for index in range(count):
                half = level > 0 and index == 0
                blocks.append(Block(width, channels, 2 if half else 1))
                width = channels
        self.trunk = nn.Sequential(*blocks)
        self.shape = nn.Sequential(
            Block(width, width, 2), Block(width, width), Block(width, width), *_narrowed(width)
        )
        self.points = nn.Conv2d(NARROW, POINTS * 3, 3)
        self.certainty = nn.Sequential(Block(width, width, 2), *_narrowed(width))
        self.score = nn.Conv2d(NARROW, 1, 3)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Where the mesh lies in crops.

        Args:
            crops: `[B, 3, 192, 192]` in [0, 1].

        Returns:
            points `[B, 468, 3]` in pixels of the crop from its outer corner (the depth in the same
            unit, smaller is nearer), and how surely there is a face, `[B]`, as a logit.
        """
        x = self.trunk(self.rectify(self.first(padded(crops, 2))))
        points = self.points(self.shape(x)).reshape(len(crops), POINTS, 3)
        return points, self.score(self.certainty(x)).reshape(len(crops))


def padded(x: Tensor, stride: int) -> Tensor:
    """With a border for a 3 x 3 convolution: TensorFlow puts it to one side where it halves."""
    return F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))


def _narrowed(width: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(width, NARROW, 1), nn.PReLU(NARROW), Block(NARROW, NARROW)


def load(weights: dict[str, Tensor]) -> FaceMesh:
    """The network with weights of its state dictionary, ready to be used."""
    net = FaceMesh()
    net.load_state_dict({name: value.float() for name, value in weights.items()})
    return net.eval().requires_grad_(False)


def parameters_in_order(net: FaceMesh) -> list[tuple[str, torch.nn.Module]]:
    """The layers with weights in the order of the network's definition."""
    kinds = (nn.Conv2d, nn.PReLU)
    return [(name, layer) for name, layer in net.named_modules() if isinstance(layer, kinds)]
