"""Faces of nobody that look photographed: a Gaussian of the codes that photographs have.

What a generator's mapping network draws follows the pictures it was first trained on, here
renders. A model that was taught photographs by way of its encoder draws those elsewhere in W+:
where, is fitted to the encoder's codes of photographs (`recipes.generator.photographs.photo_codes`)
and kept as a mean and principal axes, so that no photograph's own code is stored. Codes of W+ by a
Gaussian: Zhu et al. 2020, "Improved StyleGAN Embedding", section 4 (there in the space P).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError
from multimodal.generators.native import write_safetensors
from multimodal.types import Generator, Latent, check_seed

FILE_NAME = "photo_codes.safetensors"
LOOKS = ("photo", "render")
"""What a sample can be asked for as."""


@dataclass(frozen=True)
class PhotoCodes:
    """Where the codes of photographs lie.

    Args:
        mean: their mean, `[L, D]`.
        axes: K principal axes `[K, L, D]`, each as long as the codes' standard deviation along it.

    Raises:
        ValueError: shapes that do not fit, or numbers that are none.
    """

    mean: Tensor
    axes: Tensor

    def __post_init__(self) -> None:
        fits = (
            self.mean.ndim == 2 and self.axes.ndim == 3 and self.axes.shape[1:] == self.mean.shape
        )
        if not fits:
            shapes = f"{tuple(self.mean.shape)} with axes {tuple(self.axes.shape)}"
            raise ValueError(f"a mean {shapes} is not [L, D] with [K, L, D]")
        if not (self.mean.isfinite().all() and self.axes.isfinite().all()):
            raise ValueError("codes of photographs hold numbers that are not finite")

    @classmethod
    def fit(cls, codes: Tensor, count: int) -> PhotoCodes:
        """The mean and the first `count` axes of codes `[N, L, D]`.

        Raises:
            ValueError: fewer than two codes.
        """
        if len(codes) < 2:
            raise ValueError(f"{len(codes)} codes have no spread; give two or more")
        flat = codes.flatten(1).double()
        mean = flat.mean(dim=0)
        _, sizes, axes = torch.linalg.svd(flat - mean, full_matrices=False)
        scaled = axes[:count] * sizes[:count, None] / (len(codes) - 1) ** 0.5
        shape = codes.shape[1:]
        return cls(mean.view(shape).float(), scaled.view(-1, *shape).float())

    def sample(self, n: int, seed: int, truncation: float = 0.7) -> Latent:
        """`n` codes, `[n, L, D]`; the first k are the same whatever `n`.

        Args:
            n: how many.
            seed: of 64 bits.
            truncation: 1 is all variety, 0 the mean.
        """
        source = torch.Generator().manual_seed(check_seed(seed))
        far = torch.randn(n, len(self.axes), generator=source).to(self.mean.device) * truncation
        return Latent(self.mean + torch.einsum("nk,kld->nld", far, self.axes))

    def save(self, folder: Path | str) -> Path:
        """Write into a model folder, in half precision."""
        path = Path(folder) / FILE_NAME
        write_safetensors(path, {"mean": self.mean.half(), "axes": self.axes.half()})
        return path

    @classmethod
    def load(cls, folder: Path | str) -> PhotoCodes:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: the folder has none.
            WeightsError: the file holds something else.
        """
        path = Path(folder) / FILE_NAME
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
        tensors = read_tensors(path)
        if not {"mean", "axes"} <= set(tensors):
            raise WeightsError(f"{path} holds no mean and axes of codes")
        try:
            return cls(tensors["mean"].float(), tensors["axes"].float())
        except ValueError as error:
            raise WeightsError(f"{path}: {error}") from error


def load_photo_codes(folder: Path | str, generator: Generator) -> PhotoCodes | None:
    """The codes of photographs of a generator's model folder, on its device, or None.

    Raises:
        WeightsError: the file holds something else, or those of another generator.
    """
    if not (Path(folder) / FILE_NAME).is_file():
        return None
    codes = PhotoCodes.load(folder)
    if codes.mean.shape != (generator.num_layers, generator.style_dim):
        raise WeightsError(f"{FILE_NAME} in {folder} is of another generator")
    return PhotoCodes(codes.mean.to(generator.device), codes.axes.to(generator.device))


def check_look(look: str | None) -> None:
    """Refuse a look that nobody knows; None is any.

    Raises:
        ValueError: not one of `LOOKS`.
    """
    if look not in (None, *LOOKS):
        raise ValueError(f"look {look!r:.40} is not one of {', '.join(LOOKS)}")


def sampled_as(
    look: str | None,
    generator: Generator,
    photographs: PhotoCodes | None,
    n: int,
    seed: int,
    truncation: float,
) -> Latent:
    """Random codes of a look.

    Args:
        look: "photo", "render" (what the mapping network draws), or None: photographs where the
            model knows them.
        generator: draws them.
        photographs: where it draws photographs, or None.
        n: how many.
        seed: of 64 bits.
        truncation: 1 is all variety.

    Raises:
        ValueError: no such look, or photographs asked of a model that has no codes of them.
    """
    check_look(look)
    if look == "photo" and photographs is None:
        raise ValueError("this model has one look only: it knows no codes of photographs")
    if look == "render" or photographs is None:
        return generator.sample(n, seed, truncation)
    return photographs.sample(n, seed, truncation)
