"""ArcFace IR-SE50: who is it? For the public `model_ir_se50.pth`, with StyleCLIP's preprocessing.

Deng et al. 2019, "ArcFace: Additive Angular Margin Loss" (arXiv 1801.07698).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.files.torch_files import load_torch
from multimodal.files.weights import WeightsError
from multimodal.recognition.irse import IRSE50

FACE_SIZE = 112
_FULL = 256
_ROWS, _COLUMNS = slice(35, 223), slice(32, 220)


class ArcFace(IRSE50):
    """Faces `[B, 3, 112, 112]` in [-1, 1] -> unit vectors `[B, 512]`; differentiable."""

    def __init__(self) -> None:
        super().__init__(channels_in=3)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(512 * (FACE_SIZE // 16) ** 2, 512),
            nn.BatchNorm1d(512),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Unit identity vectors."""
        features = self.output_layer(super().forward(x))
        return features / features.norm(dim=1, keepdim=True)

    def embed(self, images: Tensor) -> Tensor:
        """Aligned faces `[B, 3, H, W]` in [-1, 1], any size, -> unit vectors `[B, 512]`."""
        return self(arcface_crop(images))


def arcface_crop(images: Tensor) -> Tensor:
    """The face inside aligned pictures `[B, 3, H, W]`, `[B, 3, 112, 112]`, as StyleCLIP cuts it.

    Pictures that are not 256 px high are averaged (or repeated) to 256 px first.
    """
    if images.shape[2] != _FULL:
        images = F.adaptive_avg_pool2d(images, _FULL)
    return F.adaptive_avg_pool2d(images[:, :, _ROWS, _COLUMNS], FACE_SIZE)


def load_arcface(path: str | Path, device: torch.device | str = "cpu") -> ArcFace:
    """The network with the weights of a bare state dict (`model_ir_se50.pth`).

    Raises:
        FileNotFoundError: no such file.
        WeightsError: a web page, no state dict, or missing, extra or misshaped keys.
    """
    path = Path(path)
    try:
        state = load_torch(path)
    except WeightsError as error:
        raise WeightsError(f"{path} is not a file of weights: {error}") from error
    if not isinstance(state, dict) or "output_layer.3.weight" not in state:
        raise WeightsError(f"{path} is not the state dict of an ArcFace IR-SE50")
    network = ArcFace()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit ArcFace IR-SE50: {error}") from error
    return network.eval().requires_grad_(False).to(device)
