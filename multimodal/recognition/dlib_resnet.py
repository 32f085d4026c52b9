"""dlib's face recognition network in PyTorch: differentiable, batched, read from dlib's own file.

The network is the ResNet-34 of He et al. 2015 (arXiv 1512.03385) with fewer layers and half the
filters, as King describes it in dlib's `dnn_face_recognition_ex`; its weights are public domain.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL.Image import Image
from torch import Tensor, nn

from multimodal.files.weights import WeightsError, check_file, package_file

CHIP = 150
"""Side of the pictures it was made for."""

CHIP_LEFT, CHIP_TOP, CHIP_SIDE = 0.162, 0.265, 0.68
"""Where the chip lies in an FFHQ-aligned face, in parts of its side; mean over renders."""

MEANS = (122.782, 117.001, 104.298)
_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
# Mean descriptor of 1536 rendered faces, in thousandths: strangers then have cosines near 0.
# fmt: off
_CENTRE = (
    -88, 81, 37, -63, -91, -17, -42, -83, 136, -130, 220, -9, -242, -20, -47, 156, -152, -126,
    -115, -50, 26, 11, -13, 23, -84, -279, -95, -59, 14, -75, 26, 26, -158, 5, 10, 26, -41, -55,
    185, 5, -178, -18, 67, 237, 172, 12, 39, -52, 81, -240, 23, 128, 139, 71, 51, -155, 15, 129,
    -181, 42, 61, -70, -86, -37, 217, 122, -144, -163, 209, -157, -42, 53, -111, -171, -230, 18,
    354, 124, -134, 34, -61, -26, -20, 64, -90, 4, -71, 50, 176, -31, 5, 208, 17, -33, 8, 38, -66,
    -21, -108, 5, 13, -92, 1, 81, -149, 167, -29, -10, -36, 19, -77, -21, 142, -223, 169, 159, 42,
    109, 61, 81, 15, -32, -176, -101, 13, -54, 33, 41,
)
# fmt: on
MAX_VALUES = 1 << 22


def _convolution(width_in: int, width: int, kernel: int, stride: int) -> nn.Conv2d:
    """A convolution with dlib's borders (none when it strides). The scale and shift that follow it
    in dlib are folded into its weights."""
    return nn.Conv2d(width_in, width, kernel, stride, kernel // 2 if stride == 1 else 0)


class _Block(nn.Module):
    """Two convolutions beside a shortcut; the shorter of two maps is filled up with zeros."""

    def __init__(self, width_in: int, width: int, down: bool) -> None:
        super().__init__()
        self.down = down
        self.first = _convolution(width_in, width, 3, 2 if down else 1)
        self.second = _convolution(width, width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x).relu())
        return _add(F.avg_pool2d(x, 2) if self.down else x, y).relu()


class DlibResNet(nn.Module):
    """Face chips `[B, 3, 150, 150]` in [-1, 1] to dlib's descriptors `[B, 128]`."""

    means: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, 32, 7, 2)
        blocks, before = [], 32
        for width, count, down in _STAGES:
            for index in range(count):
                blocks.append(_Block(before, width, down and index == 0))
                before = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(before, 128, bias=False)
        self.register_buffer("means", torch.tensor(MEANS)[:, None, None], persistent=False)

    def forward(self, chips: Tensor) -> Tensor:
        """Raw descriptors; two of one person are closer than 0.6."""
        x = ((chips + 1) * 127.5 - self.means) / 256
        x = F.max_pool2d(self.stem(x).relu(), 3, 2)
        return self.head(self.blocks(x).mean(dim=(2, 3)))


class DlibFace(nn.Module):
    """dlib's descriptor of aligned faces as a differentiable `ImageEmbedder`.

    Args:
        net: the network.
        centre: mean descriptor `[128]` that vectors are measured from, or None for none: the
            cosines of strangers are then near 0.8 instead of near 0.
    """

    centre: Tensor

    def __init__(self, net: DlibResNet, centre: Tensor | None = None) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("centre", torch.zeros(128) if centre is None else centre.float())

    def forward(self, images: Tensor) -> Tensor:
        """FFHQ-aligned faces `[B, 3, H, W]` in [-1, 1] to unit vectors `[B, 128]`."""
        return F.normalize(self.net(aligned_chip(images)).float() - self.centre, dim=1)


def aligned_chip(images: Tensor) -> Tensor:
    """The chip inside FFHQ-aligned faces, `[B, 3, H, W] -> [B, 3, 150, 150]`; differentiable.

    dlib turns and scales each face by its points; in an FFHQ crop this hardly differs from one
    face to the next (1% of the side in place, 3% in size).
    """
    height, width = images.shape[-2:]
    rows = slice(round(CHIP_TOP * height), round((CHIP_TOP + CHIP_SIDE) * height))
    columns = slice(round(CHIP_LEFT * width), round((CHIP_LEFT + CHIP_SIDE) * width))
    return F.interpolate(
        images[..., rows, columns], size=(CHIP, CHIP), mode="bilinear", antialias=True
    )


def load_dlib_resnet(path: str | Path | None = None) -> DlibResNet:
    """The network with the weights of dlib's file (None: the installed models), frozen.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: another file.
    """
    name = "dlib_face_recognition_resnet_model_v1.dat"
    source = package_file("face_recognition_models", "models", name) if path is None else Path(path)
    data = check_file(source).read_bytes()
    net = DlibResNet()
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    filters, affines, heads = (_tensors(data, tag) for tag in (b"con_", b"affine_", b"fc_"))
    if (len(filters), len(affines), len(heads)) != (len(layers), len(layers), 1):
        raise WeightsError(f"{source.name} does not hold dlib's face recognition network")
    with torch.no_grad():
        for layer, weights, affine in zip(layers, filters, affines, strict=True):
            _fill(layer, weights, affine, source.name)
        net.head.weight.copy_(heads[0].view(256, 128).T)
    return net.eval().requires_grad_(False)


def load_dlib_face(path: str | Path | None = None, device: torch.device | str = "cpu") -> DlibFace:
    """dlib's network as an identity judge of aligned faces; errors as `load_dlib_resnet`."""
    centre = torch.tensor(_CENTRE) / 1000
    return DlibFace(load_dlib_resnet(path), centre).eval().to(device)


def face_chip(image: Image, landmarks: np.ndarray) -> np.ndarray:
    """What dlib cuts out for the network: uint8 `[150, 150, 3]` by 68 points `[68, 2]`."""
    import dlib

    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    box = dlib.rectangle(*(int(v) for v in (*low, *high)))
    points = [dlib.point(int(x), int(y)) for x, y in np.rint(landmarks)]
    pixels = np.ascontiguousarray(image.convert("RGB"))
    return np.asarray(dlib.get_face_chip(pixels, dlib.full_object_detection(box, points), CHIP))


def _fill(conv: nn.Conv2d, weights: Tensor, affine: Tensor, source: str) -> None:
    kernel, width = conv.weight, conv.out_channels
    if len(affine) != 2 * width or len(weights) not in (kernel.numel(), kernel.numel() + width):
        raise WeightsError(f"{source}: a layer of {width} channels has {len(weights)} weights")
    scale, shift = affine.split(width)
    kernel.copy_(weights[: kernel.numel()].view_as(kernel) * scale.view(-1, 1, 1, 1))
    assert conv.bias is not None
    conv.bias.copy_(shift)
    if len(weights) > kernel.numel():
        conv.bias.add_(weights[kernel.numel() :] * scale)


def _add(first: Tensor, second: Tensor) -> Tensor:
    """The sum of two maps of any sizes, filled up with zeros at the far ends."""
    if first.shape == second.shape:
        return first + second
    wanted = [max(a, b) for a, b in zip(first.shape, second.shape, strict=True)]
    return _grown(first, wanted) + _grown(second, wanted)


def _grown(x: Tensor, shape: list[int]) -> Tensor:
    missing = [want - have for want, have in zip(shape, x.shape, strict=True)]
    return F.pad(x, (0, missing[3], 0, missing[2], 0, missing[1]))


def _tensors(data: bytes, tag: bytes) -> list[Tensor]:
    """The first tensor after each layer's tag, flattened, in the order of the file."""
    found, start, left = [], data.find(tag), len(data)
    while start >= 0:
        tensor = _tensor_after(data, start + len(tag))
        if tensor is not None:
            found.append(tensor)
            left -= tensor.nbytes
        if left < 0:
            break  # tensors that lie in one another: the file is damaged
        start = data.find(tag, start + len(tag))
    return found


def _tensor_after(data: bytes, position: int) -> Tensor | None:
    """A tensor that begins a few bytes on: version 2, four sizes, then floats."""
    for begin in range(position, position + 24):
        values, at = [], begin
        for _ in range(5):
            if at >= len(data):
                return None
            value, at = _integer(data, at)
            values.append(value)
        version, *sizes = values
        count = sizes[0] * sizes[1] * sizes[2] * sizes[3]
        if version == 2 and 32 <= count <= MAX_VALUES and min(sizes) > 0:
            return torch.tensor(struct.unpack_from(f"<{count}f", data, at))
    return None


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """dlib's packed integer: a byte with sign and length, then that many bytes, low first."""
    length = data[at] & 0x0F
    value = int.from_bytes(data[at + 1 : at + 1 + length], "little")
    return (-value if data[at] & 0x80 else value), at + 1 + length
