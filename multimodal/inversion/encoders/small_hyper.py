"""A hypernetwork of our own, small enough for a processor: from a picture and its reconstruction to
changes of a StyleGAN2's convolutions (Alaluf et al. 2022, "HyperStyle", section 3), and of one
layer's features (Yao et al. 2022, "A Style-Based GAN Encoder for High Fidelity Reconstruction").

What differs from HyperStyle: the body is the bundled encoder's, which has learnt to compare a
picture with its reconstruction, not a ResNet-34; a layer's change is a product of a few numbers an
input and a few an output channel (one number a pair of channels, as theirs, but of low rank), read
from one vector, where they have refinement blocks and two shared matrices of half a gigabyte; and
the features hold what is somewhere in the picture, which no change of weights can.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError, atomic, check_file
from multimodal.generators.native import config_path, read_json, write_safetensors
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import POOLED, WIDTHS, body, body_maps, group_norm
from multimodal.inversion.encoders.encoder_files import HYPER_FILE, HYPER_FORMAT, load_strictly
from multimodal.inversion.encoders.hyper_network import TunedLayer, layer_table

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


@dataclass(frozen=True)
class SmallHyperConfig:
    """Shape of a small hypernetwork.

    Args:
        resolution: of the generator.
        channels: of the generator at 4, 8, 16 px and so on.
        rank: of a layer's change.
        side: of the pictures it is shown.
        width: channels of the body's first stage.
        hidden: size of the vector that changes are read from.
        sides: of the layers whose convolutions are changed.
        features: side of the layer whose features are changed; 0: none.
    """

    resolution: int = 256
    channels: tuple[int, ...] = (256, 256, 256, 192, 128, 80, 48)
    rank: int = 4
    side: int = 128
    width: int = 24
    hidden: int = 256
    sides: tuple[int, ...] = (16, 32, 64)
    features: int = 32

    def __post_init__(self) -> None:
        for name, most in (("rank", 64), ("side", 1024), ("hidden", 4096), ("width", 512)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} {getattr(self, name)} is not in 1..{most}")
        if not 1 <= len(self.channels) <= 9 or not all(1 <= v <= 4096 for v in self.channels):
            raise ValueError(f"channels {self.channels!r:.80} are not a few numbers in 1..4096")
        if len(layer_table(self.resolution, self.channels)) != 3 * len(self.channels) - 1:
            raise ValueError(f"{len(self.channels)} channels do not make {self.resolution} px")
        known = [4 << i for i in range(len(self.channels))]
        if self.features not in (0, *known) or not set(self.sides) <= set(known):
            raise ValueError(f"sides {self.sides!r:.80} or {self.features} are not of {known}")

    @classmethod
    def of(cls, generator: StyleGAN2, **shape: object) -> SmallHyperConfig:
        """For a generator, small ones too."""
        config, most = generator.config, generator.resolution
        fits: dict[str, Any] = {
            "sides": tuple(side for side in cls.sides if side <= most),
            "features": min(cls.features, most),
        }
        return cls(config.resolution, tuple(config.channels), **(fits | shape))


class SmallHyperNetwork(nn.Module):
    """The network; called as `HyperNetwork` is.

    Args:
        config: its shape.
    """

    def __init__(self, config: SmallHyperConfig) -> None:
        super().__init__()
        self.config = config
        self.layers: list[TunedLayer] = layer_table(config.resolution, config.channels)
        self.stem, self.downs, self.stages = body(config.width, 6)
        widths = [config.width * factor for factor in WIDTHS]
        self.norms = nn.ModuleList(group_norm(channels) for channels in widths)
        self.reduce = nn.Conv2d(widths[-1], 64, 1)
        self.seen = nn.Linear(64 * POOLED * POOLED, config.hidden)
        wanted = [f"synthesis.b{side}." for side in config.sides]
        self.tuned = [
            i
            for i, layer in enumerate(self.layers)
            if layer.kernel == 3 and any(layer.key.startswith(name) for name in wanted)
        ]
        self.inputs, self.outputs = nn.ModuleDict(), nn.ModuleDict()
        for i in self.tuned:
            layer = self.layers[i]
            self.inputs[str(i)] = nn.Linear(config.hidden, config.rank * layer.inputs)
            self.outputs[str(i)] = _silent(nn.Linear(config.hidden, config.rank * layer.outputs))
        self.looked, self.added = nn.ModuleList(), nn.Sequential()
        if config.features:
            self._add_features(widths)

    def _add_features(self, widths: list[int]) -> None:
        side, channels = self.config.features, self.config.channels
        outputs = channels[[4 << i for i in range(len(channels))].index(side)]
        key = f"synthesis.b{side}.conv1.residual"
        self.layers = [*self.layers, TunedLayer(len(self.layers), key, 0, side, outputs)]
        inner = 2 * widths[1]
        self.looked = nn.ModuleList(nn.Conv2d(w, inner, 1) for w in widths[:3])
        last = _silent(nn.Conv2d(inner, outputs, 3, padding=1))
        middle = nn.Conv2d(inner, inner, 3, padding=1)
        self.added = nn.Sequential(nn.SiLU(), middle, nn.SiLU(), last)

    def forward(self, images: Tensor) -> list[Tensor | None]:
        """Pictures and their reconstructions `[B, 6, H, W]` in [-1, 1] to a factor's change
        `[B, outputs, inputs, 3, 3]` of every convolution, None where it is left alone; and what is
        added to the features `[B, outputs, side, side]`, last."""
        side = (self.config.side,) * 2
        if images.shape[-2:] != side:
            images = F.interpolate(images, side, mode="area")
        maps = body_maps(images, self.stem, self.downs, self.stages)
        maps = [F.silu(norm(each)) for norm, each in zip(self.norms, maps, strict=True)]
        seen = F.adaptive_avg_pool2d(self.reduce(maps[-1]), POOLED).flatten(1)
        vector = F.silu(self.seen(seen))
        found: list[Tensor | None] = [None] * len(self.layers)
        for i in self.tuned:
            layer, rank = self.layers[i], self.config.rank
            ins = torch.tanh(self.inputs[str(i)](vector)).view(-1, rank, layer.inputs)
            outs = self.outputs[str(i)](vector).view(-1, rank, layer.outputs)
            change = torch.einsum("bro,bri->boi", outs, ins) / rank
            found[i] = change[..., None, None].expand(-1, -1, -1, 3, 3)
        if self.config.features:
            found[-1] = self._features(maps)
        return found

    def _features(self, maps: list[Tensor]) -> Tensor:
        size = (self.config.features,) * 2
        summed = torch.zeros((), device=maps[0].device)
        for conv, each in zip(self.looked, maps, strict=False):
            inner = conv(each)
            shrinks = inner.shape[-1] > size[0]
            mode = "area" if shrinks else "bilinear"
            summed = summed + (
                inner if inner.shape[-1] == size[0] else F.interpolate(inner, size, mode=mode)
            )
        return self.added(summed)


def _silent(layer: Layer) -> Layer:
    """A layer that says nothing yet: a network without training changes nothing."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def save_small_hyper(network: SmallHyperNetwork, path: Path | str) -> Path:
    """Write a hypernetwork and its JSON; a folder gets `hyper.safetensors`."""
    path = Path(path)
    path = path if path.suffix == ".safetensors" else path / HYPER_FILE
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
