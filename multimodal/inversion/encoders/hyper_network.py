"""HyperStyle's hypernetwork (Alaluf et al. 2022, "HyperStyle: StyleGAN Inversion with HyperNetworks
for Real Image Editing", section 3): from a picture and its reconstruction to changes of a
StyleGAN2's weights.

A ResNet-34 body without max pooling looks at both pictures; a refinement block a layer turns its
16 px features into that layer's change (section 3.2). Blocks of 512 channels share two matrices
(section 3.3), so that the largest of them, half a gigabyte, is there once. Module names follow the
public file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from multimodal.generators.stylegan2 import EqualLinear

WIDTH, SHARED_INNER, INNER = 512, 128, 256
SIDES = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64, 32)
"""Of the generator at each of `SIDES` (config-f)."""
BODY = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


@dataclass(frozen=True)
class TunedLayer:
    """A layer of the generator as the hypernetwork counts them.

    Args:
        index: 0 the first convolution, 1 its toRGB, then three a resolution.
        key: of its weight in NVlabs' layout.
        kernel: side of the kernel.
        inputs: channels in.
        outputs: channels out.
    """

    index: int
    key: str
    kernel: int
    inputs: int
    outputs: int

    @property
    def shared(self) -> bool:
        """Does it use the shared matrices?"""
        return self.kernel == 3 and self.inputs == self.outputs == WIDTH


def layer_table(resolution: int, channels: Sequence[int] = CHANNELS) -> list[TunedLayer]:
    """The layers of a StyleGAN2 of that resolution, 26 at 1024 px, 20 at 256 px.

    Args:
        resolution: side of the pictures.
        channels: of the generator at 4, 8, 16 px and so on; config-f by default.

    Raises:
        ValueError: no resolution of that family.
    """
    if resolution not in SIDES[2:]:
        raise ValueError(f"output_size {resolution} is not one of {SIDES[2:]}")
    layers: list[TunedLayer] = []
    inputs = channels[0]
    for side, outputs in zip(SIDES, channels, strict=False):
        if side > resolution:
            break
        names = ["conv1"] if side == 4 else ["conv0", "conv1"]
        widths = [inputs, outputs][-len(names) :]
        for name, wide in zip(names, widths, strict=True):
            key = f"synthesis.b{side}.{name}.weight"
            layers.append(TunedLayer(len(layers), key, 3, wide, outputs))
        layers.append(TunedLayer(len(layers), f"synthesis.b{side}.torgb.weight", 1, outputs, 3))
        inputs = outputs
    return layers


class SharedHypernet(nn.Module):
    """Two matrices that turn a code into a convolution's change (Ha et al. 2017, equation 5)."""

    def __init__(
        self, z_dim: int, inputs: int, outputs: int, kernel: int = 3, per_channel: bool = False
    ) -> None:
        super().__init__()
        self.shape, self.kernel, self.per_channel = (outputs, inputs), kernel, per_channel
        count = outputs if per_channel else outputs * kernel**2
        self.w1 = nn.Parameter(torch.empty(z_dim, count))
        self.b1 = nn.Parameter(torch.empty(count))
        self.w2 = nn.Parameter(torch.empty(z_dim, inputs * z_dim))
        self.b2 = nn.Parameter(torch.empty(inputs * z_dim))

    def forward(self, code: Tensor) -> Tensor:
        """Codes `[B, z_dim]` to changes `[B, outputs, inputs, k, k]`."""
        inner = (code @ self.w2 + self.b2).view(len(code), self.shape[1], len(self.w1))
        found = inner @ self.w1 + self.b1
        if self.per_channel:
            shape = (-1, -1, -1, self.kernel, self.kernel)
            return found.view(len(code), *self.shape, 1, 1).expand(shape)
        return found.view(len(code), *self.shape, self.kernel, self.kernel)


class Separable(nn.Module):
    """A change as the product of one kernel over inputs and one over outputs."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.inputs, self.outputs, self.kernel = inputs, outputs, kernel
        self.make_kernel_in = nn.Linear(WIDTH, kernel**2 * inputs)
        self.make_kernel_out = nn.Linear(WIDTH, kernel**2 * outputs)
        self.kernel_linear_in = nn.Linear(inputs, inputs)
        self.kernel_linear_out = nn.Linear(outputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Features `[B, 512, 1, 1]` to changes `[B, outputs, inputs, k, k]`."""
        flat, k = features.flatten(1), self.kernel
        column = self.make_kernel_out(flat).view(-1, k, k, self.outputs, 1)
        row = self.make_kernel_in(flat).view(-1, k, k, 1, self.inputs)
        mixed = self.kernel_linear_in(column @ row).transpose(3, 4)
        return self.kernel_linear_out(mixed).permute(0, 4, 3, 1, 2)


def steps(widths: Sequence[int], strides: Sequence[int]) -> nn.Sequential:
    """3x3 convolutions of those widths and strides with leaky ReLUs."""
    layers: list[nn.Module] = []
    for i, stride in enumerate(strides):
        layers.append(nn.Conv2d(widths[i], widths[i + 1], 3, stride=stride, padding=1))
        layers.append(nn.LeakyReLU(0.01))
    return nn.Sequential(*layers)


class SharedBlock(nn.Module):
    """Features to the code that the shared matrices take."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = steps([WIDTH, *[SHARED_INNER] * 4, WIDTH], (1, 2, 2, 2, 2))
        self.linear = EqualLinear(WIDTH, WIDTH)

    def forward(self, features: Tensor) -> Tensor:
        """`[B, 512, 16, 16] -> [B, 512]`."""
        return self.linear(self.convs(features).flatten(1))


class Block(nn.Module):
    """Features to a layer's change: one number a pair of channels, the same over the kernel; a
    separable one has a number a tap."""

    def __init__(self, layer: TunedLayer, separable: bool = False) -> None:
        super().__init__()
        self.layer, self.separable = layer, separable
        count = layer.inputs * layer.outputs
        few = layer.kernel == 3 and not separable
        self.convs = steps([WIDTH, *[INNER] * (2 if few else 3), WIDTH], (2,) * (3 if few else 4))
        last: nn.Module = nn.Conv2d(WIDTH, count, 1)
        if separable:
            last = Separable(layer.inputs, layer.outputs, layer.kernel)
        self.output = nn.Sequential(*([nn.AdaptiveAvgPool2d(1)] if few else []), last)

    def forward(self, features: Tensor) -> Tensor:
        """`[B, 512, 16, 16]` to `[B, outputs, inputs, k, k]`."""
        found = self.output(self.convs(features))
        if self.separable:
            return found
        k, layer = self.layer.kernel, self.layer
        return found.view(-1, layer.outputs, layer.inputs, 1, 1).expand(-1, -1, -1, k, k)


class HyperNetwork(nn.Module):
    """The whole hypernetwork.

    Args:
        resolution: of the generator.
        tuned: indices of the layers it changes.
        separable: blocks without shared matrices are separable (`...ResNetSeparable`).
    """

    def __init__(self, resolution: int, tuned: Sequence[int], separable: bool = False) -> None:
        super().__init__()
        self.layers = layer_table(resolution)
        self.conv1 = nn.Conv2d(6, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.PReLU(64)
        blocks, inputs = [], 64
        for outputs, count, stride in BODY:
            for i in range(count):
                blocks.append(_basic(inputs, outputs, stride if i == 0 else 1))
                inputs = outputs
        self.body = nn.Sequential(*blocks)
        self.shared_weight_hypernet = SharedHypernet(WIDTH, WIDTH, WIDTH)
        self.refinement_blocks = nn.ModuleDict(
            {
                str(i): SharedBlock() if self.layers[i].shared else Block(self.layers[i], separable)
                for i in tuned
            }
        )

    def features(self, images: Tensor) -> Tensor:
        """`[B, 6, 256, 256]` to `[B, 512, 16, 16]`."""
        return self.body(self.relu(self.bn1(self.conv1(images))))

    def forward(self, images: Tensor) -> list[Tensor | None]:
        """Pictures and their reconstructions `[B, 6, 256, 256]` in [-1, 1] to a change
        `[B, outputs, inputs, k, k]` of every layer, None where a layer is left alone."""
        features = self.features(images)
        found: list[Tensor | None] = [None] * len(self.layers)
        for name, block in self.refinement_blocks.items():
            change = block(features)
            shared = isinstance(block, SharedBlock)
            found[int(name)] = self.shared_weight_hypernet(change) if shared else change
        return found


def _basic(inputs: int, outputs: int, stride: int) -> BasicBlock:
    down = None
    if stride != 1 or inputs != outputs:
        conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        down = nn.Sequential(conv, nn.BatchNorm2d(outputs))
    return BasicBlock(inputs, outputs, stride, down)
