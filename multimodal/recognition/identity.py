"""Who is it? A small network whose vectors of one person agree and of two people do not.

`IdentityNet` learned from dlib's face descriptor (`recipes.judge.train_identity`), which itself
gives
no gradient. Its vector is the unit vector of the descriptor minus the mean descriptor: the cosine
of two strangers is near 0, where that of raw descriptors is above 0.8.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError, atomic, check_file
from multimodal.recognition.descriptor import DlibIdentity, identity_similarity
from multimodal.types import ImageEmbedder

__all__ = [
    "DlibIdentity",
    "IdentityConfig",
    "IdentityNet",
    "face_crop",
    "identity_similarity",
    "load_identity",
    "load_identity_net",
    "save_identity",
]

FACE_SIZE = 112
# The face inside an FFHQ crop, as shares of its side: rows and columns.
_ROWS, _COLUMNS = (35 / 256, 223 / 256), (32 / 256, 220 / 256)


@dataclass(frozen=True)
class IdentityConfig:
    """Shape of an `IdentityNet`.

    Args:
        widths: channels of the stem and of the stages at 28, 14 and 7 pixels.
        depths: residual blocks of those three stages.
        dim: length of the vector.
    """

    widths: tuple[int, int, int, int] = (24, 48, 96, 160)
    depths: tuple[int, int, int] = (2, 2, 2)
    dim: int = 128


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; `[B, C, H, W]` -> `[B, width, H/s, W/s]`."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = _conv(width_in, width, stride)
        self.second = _conv(width, width, 1)
        self.active = nn.PReLU(width)
        same = stride == 1 and width_in == width
        self.shortcut = nn.Identity() if same else _conv(width_in, width, stride, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        return self.shortcut(x) + self.second(self.active(self.first(x)))


class IdentityNet(nn.Module):
    """Aligned faces `[B, 3, H, W]` in [-1, 1], any size -> unit vectors `[B, dim]`."""

    centre: Tensor

    def __init__(self, config: IdentityConfig | None = None) -> None:
        super().__init__()
        self.config = config or IdentityConfig()
        widths = self.config.widths
        self.stem = nn.Sequential(_conv(3, widths[0], 2), nn.PReLU(widths[0]))
        blocks = []
        for width_in, width, depth in zip(widths, widths[1:], self.config.depths, strict=False):
            blocks.append(Block(width_in, width, 2))
            blocks += [Block(width, width, 1) for _ in range(depth - 1)]
        self.body = nn.Sequential(*blocks)
        # A 7x7 weight a channel tells places apart, which a plain mean would not.
        self.gather = nn.Conv2d(widths[-1], widths[-1], FACE_SIZE // 16, groups=widths[-1])
        self.head = nn.Linear(widths[-1], self.config.dim)
        # Mean descriptor of the training faces: what the vectors are measured from.
        self.register_buffer("centre", torch.zeros(self.config.dim))

    def forward(self, images: Tensor) -> Tensor:
        """Unit identity vectors of aligned faces."""
        return self.vectors(face_crop(images))

    def vectors(self, faces: Tensor) -> Tensor:
        """Cropped faces `[B, 3, 112, 112]` -> unit vectors `[B, dim]`."""
        features = self.gather(self.body(self.stem(faces))).flatten(1)
        return F.normalize(self.head(features).float(), dim=1)


def face_crop(images: Tensor) -> Tensor:
    """The face inside aligned pictures `[B, 3, H, W]`, `[B, 3, 112, 112]`; differentiable.

    Raises:
        ValueError: not a batch of RGB pictures of at least 16 px.
    """
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 16:
        raise ValueError(f"expected pictures [B, 3, H, W] of 16 px or more, got {images.shape}")
    height, width = images.shape[2:]
    rows = slice(round(_ROWS[0] * height), round(_ROWS[1] * height))
    columns = slice(round(_COLUMNS[0] * width), round(_COLUMNS[1] * width))
    return F.interpolate(
        images[:, :, rows, columns], size=(FACE_SIZE, FACE_SIZE), mode="bilinear", antialias=True
    )


def save_identity(
    network: IdentityNet, path: str | Path, dtype: torch.dtype = torch.float32
) -> Path:
    """Write weights as safetensors and the shape as JSON beside them; returns the weights' path."""
    from safetensors.torch import save_file

    path = Path(path)
    state = network.state_dict().items()
    tensors = {
        k: (v.to(dtype) if v.is_floating_point() else v).detach().cpu().contiguous()
        for k, v in state
    }
    with atomic(path) as part:
        save_file(tensors, part)
    with atomic(path.with_suffix(".json")) as part:
        part.write_text(json.dumps({"identity": asdict(network.config)}, indent=1) + "\n")
    return path


def load_identity(source: str | Path, device: torch.device | str = "cpu") -> ImageEmbedder:
    """An identity network, frozen: our `.safetensors`, ArcFace's `.pth`, or dlib's `.dat`.

    Returns:
        a function of aligned faces `[B, 3, H, W]` in [-1, 1] to unit vectors `[B, K]`.

    Raises:
        FileNotFoundError: no such file, or no `.json` beside a `.safetensors`.
        WeightsError: it holds something else.
    """
    path = Path(source)
    if path.suffix.lower() == ".dat":
        from multimodal.recognition.dlib_resnet import load_dlib_face

        return load_dlib_face(path, device)
    if path.suffix.lower() != ".safetensors":
        from multimodal.recognition.arcface import load_arcface

        return load_arcface(path, device).embed
    return load_identity_net(path, device)


def load_identity_net(path: str | Path, device: torch.device | str = "cpu") -> IdentityNet:
    """An `IdentityNet` written by `save_identity`; errors as `load_identity`."""
    path = check_file(Path(path))
    about = check_file(path.with_suffix(".json"))
    try:
        values = json.loads(about.read_text(encoding="utf-8"))["identity"]
        config = IdentityConfig(
            tuple(values["widths"]), tuple(values["depths"]), int(values["dim"])
        )
        tensors = read_tensors(path)
        with within(tensors, about.name):
            network = IdentityNet(config)
        network.load_state_dict(tensors)
    except (OverflowError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not an identity network: {error}") from error
    return network.eval().requires_grad_(False).to(device)


def _conv(width_in: int, width: int, stride: int, kernel: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(width_in, width, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width))
