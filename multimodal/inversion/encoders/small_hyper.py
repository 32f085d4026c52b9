"""A hypernetwork of our own, small enough for a processor: from a picture and its reconstruction to
changes of a StyleGAN2's convolutions (Alaluf et al. 2022, "HyperStyle", section 3).

What differs from theirs: one small body of 128 px looks, not a ResNet-34 of 256; a layer's change
is a product of a few numbers an input and a few an output channel (one number a pair of channels,
as theirs, but of low rank), read from one vector, where they have refinement blocks and two shared
matrices of half a gigabyte.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError, atomic, check_file
from multimodal.generators.native import config_path, read_json, write_safetensors
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.encoder_files import HYPER_FORMAT, load_strictly
from multimodal.inversion.encoders.hyper_network import TunedLayer, layer_table

FILE_NAME = "hyper.safetensors"


@dataclass(frozen=True)
class SmallHyperConfig:
    """Shape of a small hypernetwork.

    Args:
        resolution: of the generator.
        channels: of the generator at 4, 8, 16 px and so on.
        rank: of a layer's change.
        side: of the pictures it is shown.
        widths: channels of the body, each stage at half the side of the one before.
        hidden: size of the vector that changes are read from.
    """

    resolution: int = 256
    channels: tuple[int, ...] = (256, 256, 256, 192, 128, 80, 48)
    rank: int = 4
    side: int = 128
    widths: tuple[int, ...] = (32, 64, 128, 192, 256)
    hidden: int = 256

    def __post_init__(self) -> None:
        for name, most in (("rank", 64), ("side", 1024), ("hidden", 4096)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} {getattr(self, name)} is not in 1..{most}")
        for name, values in (("channels", self.channels), ("widths", self.widths)):
            if not 1 <= len(values) <= 9 or not all(1 <= v <= 4096 for v in values):
                raise ValueError(f"{name} {values!r:.80} are not a few numbers in 1..4096")
        if len(layer_table(self.resolution, self.channels)) != 3 * len(self.channels) - 1:
            raise ValueError(f"{len(self.channels)} channels do not make {self.resolution} px")

    @classmethod
    def of(cls, generator: StyleGAN2, **shape: object) -> SmallHyperConfig:
        """For a generator."""
        config = generator.config
        return cls(config.resolution, tuple(config.channels), **shape)  # type: ignore[arg-type]


class SmallHyperNetwork(nn.Module):
    """The network; called as `HyperNetwork` is.

    Args:
        config: its shape.
    """

    def __init__(self, config: SmallHyperConfig) -> None:
        super().__init__()
        self.config = config
        self.layers: list[TunedLayer] = layer_table(config.resolution, config.channels)
        stages, inputs = [], 6
        for outputs in config.widths:
            stages += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
                nn.GroupNorm(_groups(outputs), outputs),
                nn.SiLU(),
            ]
            inputs = outputs
        self.body = nn.Sequential(*stages)
        self.seen = nn.Linear(16 * inputs, config.hidden)
        self.tuned = [i for i, layer in enumerate(self.layers) if layer.kernel == 3]
        self.inputs, self.outputs = nn.ModuleDict(), nn.ModuleDict()
        for i in self.tuned:
            layer = self.layers[i]
            self.inputs[str(i)] = nn.Linear(config.hidden, config.rank * layer.inputs)
            last = nn.Linear(config.hidden, config.rank * layer.outputs)
            nn.init.zeros_(last.weight)  # a network without training changes nothing
            nn.init.zeros_(last.bias)
            self.outputs[str(i)] = last

    def forward(self, images: Tensor) -> list[Tensor | None]:
        """Pictures and their reconstructions `[B, 6, H, W]` in [-1, 1] to a change
        `[B, outputs, inputs, 3, 3]` of every convolution; None for toRGB layers."""
        side = (self.config.side,) * 2
        if images.shape[-2:] != side:
            images = F.interpolate(images, side, mode="bilinear", antialias=True)
        features = F.adaptive_avg_pool2d(self.body(images), 4).flatten(1)
        vector = F.silu(self.seen(features))
        found: list[Tensor | None] = [None] * len(self.layers)
        for i in self.tuned:
            layer, rank = self.layers[i], self.config.rank
            ins = torch.tanh(self.inputs[str(i)](vector)).view(-1, rank, layer.inputs)
            outs = self.outputs[str(i)](vector).view(-1, rank, layer.outputs)
            change = torch.einsum("bro,bri->boi", outs, ins) / rank
            found[i] = change[..., None, None].expand(-1, -1, -1, 3, 3)
        return found


def _groups(channels: int) -> int:
    return next(n for n in (8, 4, 2, 1) if channels % n == 0)


def save_small_hyper(network: SmallHyperNetwork, path: Path | str) -> Path:
    """Write a hypernetwork and its JSON; a folder gets `hyper.safetensors`."""
    path = Path(path)
    path = path if path.suffix == ".safetensors" else path / FILE_NAME
    write_safetensors(path, network.state_dict())
    described = {"format": HYPER_FORMAT, "config": asdict(network.config)}
    with atomic(config_path(path)) as part:
        part.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return path


def read_small_hyper(path: Path | str) -> SmallHyperNetwork:
    """Read what `save_small_hyper` wrote, frozen.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: it holds something else.
    """
    path = check_file(Path(path))
    try:
        values = dict(read_json(config_path(path), path.name)["config"])
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        tensors = read_tensors(path)
        with within(tensors, config_path(path).name):
            network = SmallHyperNetwork(SmallHyperConfig(**plain))
        load_strictly(network, {k: v.float() for k, v in tensors.items()}, path.name)
    except (OverflowError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a hypernetwork: {error}") from error
    return network.eval().requires_grad_(False)
