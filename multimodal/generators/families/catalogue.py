"""Every family of generators: its spaces, and where its network is; loaded when it is asked for."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multimodal.generators.families.base import Network

_HOME = "multimodal.generators.families"


@dataclass(frozen=True)
class Family:
    """A kind of generator.

    Args:
        name: as files and reports call it.
        about: one line for lists: paper and layouts.
        module: file of this folder that holds the network.
        kind: name of the network's class there.
        keys: expression that a key of its state dict matches, and no other family's.
    """

    name: str
    about: str
    module: str
    kind: str
    keys: str

    def network(self) -> type[Network]:
        """The network's class."""
        found: type[Network] = getattr(importlib.import_module(f"{_HOME}.{self.module}"), self.kind)
        return found


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "stylegan3",
            "StyleGAN3 T and R (Karras et al. 2021), NVlabs .pkl",
            "stylegan3",
            "StyleGAN3",
            r"synthesis\.L\d+_\d+_\d+\.",
        ),
        Family(
            "stylegan1",
            "StyleGAN (Karras et al. 2019), genforce and idinvert .pth",
            "stylegan1",
            "StyleGAN1",
            r"synthesis\.layer0\.(const|epilogue)",
        ),
        Family(
            "pggan",
            "PGGAN (Karras et al. 2018), genforce .pth",
            "pggan",
            "PGGAN",
            r"layer0\.weight$",
        ),
        Family(
            "biggan-deep",
            "BigGAN-deep (Brock et al. 2019), huggingface pytorch_model.bin",
            "biggan_deep",
            "BigGANDeep",
            r"generator\.gen_z\.",
        ),
        Family(
            "biggan",
            "BigGAN (Brock et al. 2019), ajbrock G_ema.pth",
            "biggan",
            "BigGAN",
            r"blocks\.0\.0\.bn1\.",
        ),
        Family(
            "dcgan",
            "DCGAN (Radford et al. 2016), PyTorch examples' .pth",
            "dcgan",
            "DCGAN",
            r"main\.0\.weight$",
        ),
        Family(
            "wgan",
            "WGAN (Arjovsky et al. 2017), WassersteinGAN's .pth",
            "dcgan",
            "WGAN",
            r"main\.initial:",
        ),
    )
}
"""Families beside StyleGAN2, by name."""


def find_family(name: object) -> Family:
    """The family of that name; raises `ValueError` that lists the known ones."""
    if not isinstance(name, str) or name not in FAMILIES:
        raise ValueError(f"family {name!r:.60} is not one of stylegan2, {', '.join(FAMILIES)}")
    return FAMILIES[name]


def family_of(keys: Iterable[str]) -> Family | None:
    """The family whose state dict has these keys, or None."""
    names = list(keys)
    for family in FAMILIES.values():
        expression = re.compile(family.keys)
        if any(expression.match(name) for name in names):
            return family
    return None
