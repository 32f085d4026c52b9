"""Copies of a generator that share what does not learn, and draw in the machine's fastest type."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from multimodal.devices import fast_dtype
from multimodal.generators.stylegan2 import StyleGAN2

Network = TypeVar("Network", bound=nn.Module)


def shared_copy(module: Network) -> Network:
    """A copy of the module tree that shares every tensor."""
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})


def learning_copy(
    original: Network, learning: Iterable[str], start: Mapping[str, Tensor] | None = None
) -> Network:
    """A copy some of whose weights are its own and learn; all other tensors are shared. It draws in
    the type that this machine is fastest in.

    Args:
        original: stays as it is.
        learning: keys of those weights.
        start: values to begin from, by key; the original's where there are none.
    """
    twin, begun = shared_copy(original), start or {}
    parameters = dict(twin.named_parameters())
    for key in learning:
        value = begun.get(key, parameters[key]).detach()
        assign(twin, key, nn.Parameter(value.clone(), requires_grad=True))
    if isinstance(twin, StyleGAN2):
        twin.dtype = fast_dtype(twin.device)
    return twin


def assign(module: nn.Module, key: str, parameter: nn.Parameter) -> None:
    """Put a parameter in a module's tree by its key."""
    path, _, name = key.rpartition(".")
    setattr(module.get_submodule(path), name, parameter)
