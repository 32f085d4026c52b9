"""Writers of checkpoint files in the public formats, for the tests of the readers."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multimodal.generators.rosinality import to_rosinality
from multimodal.generators.stylegan2 import StyleGAN2

BUFFERS = ("noise_const", "resample_filter", "w_avg", "transform", "freqs", "phases")
BUFFERS += ("magnitude_ema", "up_filter", "down_filter")


class Persistent:
    """Pickles as NVlabs' persistent modules do: source code and state through one function."""

    def __init__(
        self, class_name: str, state: dict[str, Any], source: str = "raise SystemExit"
    ) -> None:
        self.meta = {
            "type": "class",
            "version": 6,
            "module_src": source,
            "class_name": class_name,
            "state": state,
        }

    def __reduce__(self) -> Any:
        function = sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj
        return function, (self.meta,), None


@contextmanager
def official_modules() -> Iterator[type[dict[str, Any]]]:
    """`torch_utils.persistence` and `dnnlib.util` as far as pickling needs them; gone afterwards."""

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
        raise AssertionError("the file's code was asked to run")

    class EasyDict(dict[str, Any]):
        pass

    names = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    made = {name: types.ModuleType(name) for name in names}
    for item, module in (
        (_reconstruct_persistent_obj, "torch_utils.persistence"),
        (EasyDict, "dnnlib.util"),
    ):
        item.__module__, item.__qualname__ = module, item.__name__
        setattr(made[module], item.__name__, item)
    made["torch_utils"].persistence = made["torch_utils.persistence"]  # type: ignore[attr-defined]
    made["dnnlib"].util = made["dnnlib.util"]  # type: ignore[attr-defined]
    sys.modules.update(made)
    try:
        yield EasyDict
    finally:
        for name in names:
            del sys.modules[name]


def nvlabs_pickle(
    state: Mapping[str, Tensor],
    path: Path,
    conv_clamp: float | None = None,
    lr_multiplier: float = 0.01,
    protocol: int = 4,
    told: Mapping[str, Any] | None = None,
    **extra: Any,
) -> Path:
    """A file shaped like `stylegan2-ada-pytorch`'s snapshots: G, D and G_ema.

    `told` are the constructor's arguments, where they are not StyleGAN2's.
    """
    with official_modules() as easy_dict:
        options = (
            easy_dict(told)
            if told is not None
            else easy_dict(
                z_dim=512,
                c_dim=0,
                synthesis_kwargs=easy_dict(channel_base=32768, conv_clamp=conv_clamp),
                mapping_kwargs=easy_dict(num_layers=8),
            )
        )
        generator = _module("", state, conv_clamp, lr_multiplier)
        generator.meta["state"].update(_init_args=(), _init_kwargs=options, c_dim=0, **extra)
        contents = {
            "G": None,
            "D": Persistent("Discriminator", {"_parameters": {}, "_buffers": {}, "_modules": {}}),
            "G_ema": generator,
            "training_set_kwargs": {"path": "ffhq.zip"},
            "augment_pipe": None,
        }
        with path.open("wb") as file:
            pickle.dump(contents, file, protocol=protocol)
    return path


def rosinality_file(generator: StyleGAN2, path: Path, **extra: Any) -> Path:
    """A rosinality `.pt` of a network."""
    state = generator.state_dict()
    contents = {
        "g_ema": to_rosinality(state, generator.config),
        "latent_avg": state["mapping.w_avg"].clone(),
    }
    torch.save(contents | extra, path)
    return path


def _module(prefix: str, state: Mapping[str, Tensor], clamp: float | None, lr: float) -> Persistent:
    parameters: dict[str, Tensor] = OrderedDict()
    buffers: dict[str, Tensor] = OrderedDict()
    children: dict[str, Persistent] = OrderedDict()
    for key in (k for k in state if k.startswith(prefix)):
        name, _, rest = key.removeprefix(prefix).partition(".")
        if rest:
            if name not in children:
                children[name] = _module(f"{prefix}{name}.", state, clamp, lr)
        elif name in BUFFERS:
            buffers[name] = state[key]
        else:
            parameters[name] = torch.nn.Parameter(state[key])
    own: dict[str, Any] = {"training": False, "_parameters": parameters, "_buffers": buffers}
    own |= {
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_modules": children,
    }
    own["weight_gain"] = np.float64(0.25)
    if prefix.endswith(("conv0.", "conv1.")):
        own["conv_clamp"] = clamp
    if prefix.startswith("mapping.fc"):
        own["bias_gain"] = lr
    return Persistent(prefix.rstrip(".").rpartition(".")[2] or "Generator", own)
