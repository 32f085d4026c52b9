"""The sound encoder: log-mel features -> a point in the sentence space.

A small residual convolutional network reads time and frequency, attention pools over time, and a
linear layer names what was heard as a unit vector in the space of MiniLM sentence embeddings. A
CLIP's text projection carries that point into the CLIP space (`alignment.py`), so a retrained CLIP
needs no retrained sound encoder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from audio.features import FeatureConfig, log_mel
from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import atomic

WEIGHTS, CONFIG = "sound_encoder.safetensors", "sound_encoder.json"
SHORTEST_S = 1.0


@dataclass(frozen=True)
class SoundConfig:
    """Shape of the network.

    Args:
        stem: channels after the first convolution.
        widths: channels of the stages; each halves frequency.
        blocks: residual blocks in each stage.
        strides: how much the stem and each stage shorten time; 16 in all is 160 ms a step.
        hidden: channels of a time step before pooling.
        heads: attention heads that pool over time.
        dim: size of the sentence space.
        features: the spectrogram it reads.
    """

    stem: int = 32
    widths: tuple[int, ...] = (64, 96, 192)
    blocks: tuple[int, ...] = (1, 2, 2)
    strides: tuple[int, ...] = (4, 2, 2, 1)
    hidden: int = 512
    heads: int = 4
    dim: int = 384
    features: FeatureConfig = field(default_factory=FeatureConfig)

    @classmethod
    def from_json(cls, text: str) -> SoundConfig:
        """Parse what `to_json` wrote; unknown names are refused (TypeError -> ValueError)."""
        try:
            raw = json.loads(text)["network"]
            raw["features"] = FeatureConfig(**raw["features"])
            for name in ("widths", "blocks", "strides"):
                raw[name] = tuple(raw[name])
            return cls(**raw)
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a sound encoder's configuration: {error}") from error


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut; the first may shorten time and frequency."""

    def __init__(self, inside: int, outside: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.shortcut: nn.Module = nn.Identity()
        if stride != (1, 1) or inside != outside:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, T, M]` -> `[B, C', T', M']`."""
        out = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(out)) + self.shortcut(x))


class AttentionPool(nn.Module):
    """Softmax-weighted mean over time, each head weighting its own share of the channels."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.score = nn.Linear(channels, heads)

    def forward(self, steps: Tensor) -> Tensor:
        """`[B, T, C]` -> `[B, C]`."""
        weight = self.score(steps).softmax(dim=1)
        parts = steps.unflatten(-1, (self.heads, -1))
        return (parts * weight[..., None]).sum(dim=1).flatten(1)


class SoundEncoder(nn.Module):
    """log-mel `[B, 1, T, M]` -> "heard sentence" `[B, 384]` of unit length."""

    def __init__(self, config: SoundConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SoundConfig()
        first, *strides = config.strides
        self.stem = nn.Sequential(
            nn.Conv2d(1, config.stem, 5, (first, 2), 2, bias=False),
            nn.BatchNorm2d(config.stem),
            nn.ReLU(),
        )
        stages: list[nn.Module] = []
        inside = config.stem
        for width, count, stride in zip(config.widths, config.blocks, strides, strict=True):
            for index in range(count):
                stages.append(Block(inside, width, (stride, 2) if index == 0 else (1, 1)))
                inside = width
        self.stages = nn.Sequential(*stages)
        self.expand = nn.Linear(2 * inside, config.hidden)
        self.pool = AttentionPool(config.hidden, config.heads)
        self.head = nn.Sequential(
            # Centred over clips: what all sounds share would drown what tells them apart.
            nn.BatchNorm1d(config.hidden),
            nn.Linear(config.hidden, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.dim),
        )

    def steps(self, features: Tensor) -> Tensor:
        """What is heard at each time step (160 ms): `[B, 1, T, M]` -> `[B, ~T / 16, C]`."""
        x = self.stages(self.stem(features))
        x = torch.cat([x.mean(dim=3), x.amax(dim=3)], dim=1).transpose(1, 2)
        return F.relu(self.expand(x))

    def pooled(self, steps: Tensor) -> Tensor:
        """The clip's vector from its steps: `[B, T, C]` -> unit `[B, 384]`."""
        return F.normalize(self.head(self.pool(steps)), dim=-1)

    def forward(self, features: Tensor) -> Tensor:
        """`[B, 1, T, M]` of `features.log_mel` -> unit `[B, 384]`."""
        return self.pooled(self.steps(features))

    @torch.no_grad()
    def hear(self, samples: Tensor) -> Tensor:
        """Unit `[B, 384]` of sounds `[B, T]` at 16 kHz; shorter than one second is padded."""
        samples = samples[None] if samples.ndim == 1 else samples
        lacking = int(SHORTEST_S * self.config.features.rate) - samples.shape[1]
        if lacking > 0:
            samples = F.pad(samples, (lacking // 2, lacking - lacking // 2))
        weight = self.expand.weight
        features = log_mel(samples.to(weight.device), self.config.features)
        return self(features.to(weight.dtype)).float()


def save_encoder(encoder: SoundEncoder, folder: Path, notes: dict[str, object]) -> None:
    """Write fp16 weights and the JSON beside them; `notes` (licences, scores) joins the JSON."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in encoder.state_dict().items()
    }
    with atomic(folder / WEIGHTS) as part:
        save_file(tensors, part, {"format": "pt"})
    text = json.dumps({"network": asdict(encoder.config), "notes": notes}, indent=1)
    with atomic(folder / CONFIG) as part:
        part.write_text(text + "\n", encoding="utf-8")


def load_encoder(folder: Path | str, device: torch.device | str = "cpu") -> SoundEncoder:
    """Read what `save_encoder` wrote; float32, eval mode.

    Raises:
        FileNotFoundError: the folder lacks one of the two files.
        ValueError: another network's configuration or weights.
    """
    folder = Path(folder)
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no {name} in {folder}")
    config = SoundConfig.from_json((folder / CONFIG).read_text(encoding="utf-8"))
    tensors = read_tensors(folder / WEIGHTS)
    with within(tensors, CONFIG):
        encoder = SoundEncoder(config)
    try:
        encoder.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{folder / WEIGHTS} does not fit {CONFIG}: {error}") from error
    return encoder.float().eval().requires_grad_(False).to(device)
