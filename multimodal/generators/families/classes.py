"""What class-conditional generators share: classes by name or number, and z beside a class."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.families.base import NoiseNetwork
from multimodal.latents import require_space
from multimodal.types import Latent, check_seed

IMAGENET = 1000
Label = int | str
LIMIT = 2.0
"""Truncated noise is drawn again beyond so many deviations."""


@lru_cache(maxsize=1)
def imagenet_names() -> list[str]:
    """The names of ImageNet's 1000 classes, in order, as torchvision carries them."""
    from torchvision.models import ResNet18_Weights

    return list(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def class_number(label: Label, count: int) -> int:
    """The number of a class given by number or, where there are 1000 of them, by ImageNet's name.

    Raises:
        ValueError: a number out of range, or a name that no class or more than one has.
    """
    word = str(label).strip()
    if word.isdecimal():
        if int(word) >= count:
            raise ValueError(f"class {word} is not in 0..{count - 1}")
        return int(word)
    if count != IMAGENET:
        raise ValueError(f"class {label!r}: this model's {count} classes are known by number only")
    names = [name.lower() for name in imagenet_names()]
    same = [i for i, name in enumerate(names) if name == word.lower()]
    found = same or [i for i, name in enumerate(names) if word and word.lower() in name]
    if len(found) == 1 or same:
        return found[0]
    near = [names[i] for i in found[:5]] or difflib.get_close_matches(word.lower(), names, 5, 0.5)
    hint = f"; perhaps {', '.join(near)}" if near else ""
    raise ValueError(f"class {label!r} is not one of ImageNet's 1000{hint}")


class ClassNetwork(NoiseNetwork):
    """A generator of z and a class: its code is one row `(z, embedding of the class)`.

    `label` is the class that is drawn where none is said: a number, or None for one drawn by
    chance.
    """

    spaces: ClassVar[tuple[str, ...]] = ("z", "class")

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.label: int | None = None

    @property
    def style_dim(self) -> int:
        """Size of a row: z and the embedding."""
        return int(self.config.z_dim + self.config.class_dim)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.config.classes)

    @property
    def w_avg(self) -> Tensor:
        """z = 0 and the chosen class, or the mean embedding, `[D]`."""
        table = self.table()
        kind = table.mean(0) if self.label is None else table[self.label]
        return torch.cat([kind.new_zeros(self.config.z_dim), kind])

    def table(self) -> Tensor:
        """The embedding of every class, `[classes, class_dim]`."""
        raise NotImplementedError

    def choose(self, label: Label | None) -> int | None:
        """Draw this class from now on (a number, or a name), or classes by chance (None)."""
        self.label = None if label is None else class_number(label, self.classes)
        return self.label

    def code(self, z: Tensor, weights: Tensor) -> Tensor:
        """The code `[B, 1, D]` of noise `[B, z_dim]` and weights of the classes `[B, classes]`
        (one-hot, or a mixture)."""
        return torch.cat([z, weights.to(z) @ self.table()], dim=1)[:, None]

    def mapping(
        self,
        z: Tensor,
        truncation: float = 1.0,
        cutoff: int | None = None,
        label: Label | None = None,
    ) -> Tensor:
        """Noise `[B, z_dim]` to codes `[B, 1, D]` of a class: the one given, else the chosen one,
        else 0. z is taken as it is; truncation belongs to sampling and to the statistics."""
        number = class_number(self.label or 0 if label is None else label, self.classes)
        kind = torch.full((len(z),), number, device=z.device)
        return self.code(z, F.one_hot(kind, self.classes))

    def sample(
        self, n: int, seed: int, truncation: float = 0.7, label: Label | None = None
    ) -> Latent:
        """`n` random codes of the class given, else of the chosen one, else of classes by chance.

        The truncation trick (Brock et al. 2019, section 3.1): normals beyond 2 are drawn again,
        the rest is multiplied by `truncation`.
        """
        require_space(self, "class", "sampling by class")
        source = torch.Generator().manual_seed(check_seed(seed))
        z = truncated_normals(n, self.config.z_dim, source) * truncation
        chosen = self.label if label is None else class_number(label, self.classes)
        drawn = torch.randint(self.classes, (n,), generator=torch.Generator().manual_seed(~seed))
        kinds = drawn if chosen is None else torch.full((n,), chosen)
        return Latent(self.code(z.to(self.device), F.one_hot(kinds, self.classes).to(self.device)))


def truncated_normals(n: int, size: int, source: torch.Generator) -> Tensor:
    """Normals `[n, size]` within +-2; the first rows are the same whatever `n`."""
    rows = []
    for _ in range(n):
        row = torch.randn(size, generator=source)
        while bool((far := row.abs() > LIMIT).any()):
            row[far] = torch.randn(int(far.sum()), generator=source)
        rows.append(row)
    return torch.stack(rows) if rows else torch.empty(0, size)


def attend(x: Tensor, layers: Sequence[nn.Module], gamma: Tensor) -> Tensor:
    """Self-attention over positions (Zhang et al. 2019, "Self-Attention GANs", equations 1-3).

    Args:
        x: features `[B, C, h, w]`.
        layers: 1x1 convolutions theta, phi, g and o.
        gamma: how much of it joins x.
    """
    theta, phi, g, o = layers
    query = theta(x).flatten(2)  # [B, C / 8, h w]
    key = F.max_pool2d(phi(x), 2).flatten(2)  # [B, C / 8, h w / 4]
    value = F.max_pool2d(g(x), 2).flatten(2)  # [B, C / 2, h w / 4]
    weights = (query.transpose(1, 2) @ key).softmax(dim=-1)
    seen = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
    return gamma * o(seen) + x


def enlarged(x: Tensor) -> Tensor:
    """`[B, C, h, w]` with every pixel repeated to `[B, C, 2 h, 2 w]`."""
    return F.interpolate(x, scale_factor=2, mode="nearest")
