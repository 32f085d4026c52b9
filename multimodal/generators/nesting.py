"""Where in a torch file the generator lies: every tool nests and names it in its own way.

Known: rosinality's `g_ema` and `g`, basicsr's `params_ema`, Lightning's `state_dict` with a
module's name before each key, encoders' `decoder.`, the `module.` of data-parallel training and
the `_orig_mod.` of compiled modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

NESTS = (
    "g_ema", "G_ema", "generator_ema", "params_ema", "ema", "netG_ema", "generator", "G", "g",
    "netG", "net_g", "params", "state_dict", "model", "weights",
)  # fmt: skip
"""Names of the generator in a file, the averaged one first."""
WRAPPERS = ("module.", "_orig_mod.")
PARTS = (
    "decoder.", "g_ema.", "G_ema.", "generator_ema.", "ema.", "netG_ema.", "generator.", "G.",
    "g.", "netG.", "net_g.", "model.",
)  # fmt: skip
"""What stands before a generator's keys where other networks lie beside it."""
TELLING = ("input.input", "style.1.weight", "synthesis.b4.const")
MAX_DEPTH = 3


def generator_state(contents: Mapping[str, Any]) -> dict[str, Tensor] | None:
    """The StyleGAN2's tensors in what a file holds, by their own keys; where there is none, the
    first named state dict, whatever it is; None without any."""
    found = list(_states(contents, 0))
    for state in found:
        for part in ("", *PARTS):
            own = bare(_under(state, part))
            if any(key in own for key in TELLING):
                return own
    return bare(found[0]) if found else None


def bare(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without the names that training put before all of its keys."""
    found = dict(state)
    for _ in range(MAX_DEPTH):
        for wrapper in WRAPPERS:
            if found and all(key.startswith(wrapper) for key in found):
                found = {key.removeprefix(wrapper): value for key, value in found.items()}
    return found


def _states(contents: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Tensor]]:
    """State dicts that are not empty: by name, the averaged first, then the whole."""
    for name in NESTS:
        inner = contents.get(name)
        if isinstance(inner, Mapping) and inner and depth < MAX_DEPTH:
            yield from _states(inner, depth + 1)
    if contents and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in contents.items()):
        yield contents


def _under(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The keys behind a part's name, which may itself be wrapped."""
    if not part:
        return dict(state)
    unwrapped = bare(state)
    return {k.removeprefix(part): v for k, v in unwrapped.items() if k.startswith(part)}
