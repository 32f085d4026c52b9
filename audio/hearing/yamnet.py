"""YAMNet (AudioSet's 521 kinds of sound) in plain torch, log-mel front end included.

MobileNet v1 (Howard et al. 2017) on patches of 0.96 s, after the public YAMNet of TensorFlow's
model garden (Apache-2.0). The weights were read from an 8-bit file; its activations were rounded
to 8 bits too, and what that file computes is what the numbers here agree with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RATE, FRAME, HOP, FFT, MELS = 16000, 400, 160, 512, 64
PATCH = 96
PATCH_SAMPLES = (PATCH - 1) * HOP + FRAME
LOWEST, HIGHEST, FLOOR = 125.0, 7500.0, 1e-3
CLASSES, WIDTH = 521, 1024


@dataclass(frozen=True)
class Grid:
    """Numbers that 8 bits can tell apart: `step * k`, from `low` to `high` of k."""

    step: float
    low: int
    high: int

    def __call__(self, x: Tensor) -> Tensor:
        """The nearest numbers of the grid; gradients pass as if nothing was rounded."""
        near = self.step * (x / self.step).round().clamp(self.low, self.high)
        return x + (near - x).detach()


INPUTS = Grid(0.04778896, -145, 110)
ACTIVATIONS = Grid(6 / 255, 0, 255)
# One layer of the file never reaches 6.
LOWER = Grid(0.02195239, 0, 255)
LOWER_LAYER = 10
MEANS = Grid(0.02331309, 0, 255)
LOGITS = Grid(0.30812797, -228, 27)
SCORES = Grid(1 / 256, 0, 255)

# Output channels of each pair of a depthwise and a pointwise convolution, and its stride.
LAYERS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
STEM = 32

MEAN_LAYERS, SPREAD_LAYERS = (2, 4, 6, 8, 10), (4, 8)
"""Layers whose means, and whose deviations, over time and frequency are a sound's traits."""

TRAITS = sum(LAYERS[i][0] for i in (*MEAN_LAYERS, *SPREAD_LAYERS))


@dataclass(frozen=True)
class Patches:
    """What is heard in every patch of a sound.

    Args:
        logits: `[B, N, 521]`; their sigmoids are the scores.
        embeddings: `[B, N, 1024]`, non-negative.
        traits: means and deviations of earlier layers, `[B, N, 2688]`: less of what is heard, more
            of how it sounds.
    """

    logits: Tensor
    embeddings: Tensor
    traits: Tensor

    @property
    def scores(self) -> Tensor:
        """Independent scores `[B, N, 521]` in [0, 1]."""
        return self.logits.sigmoid()


@lru_cache(maxsize=1)
def mel_bands() -> Tensor:
    """Triangles drawn on the mel axis `[257, 64]`, without areas made equal; the DC bin is left
    out."""

    def mel(hertz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hertz / 700.0)

    bins = mel(torch.linspace(0.0, RATE / 2, FFT // 2 + 1, dtype=torch.float64))[:, None]
    ends = mel(torch.tensor([LOWEST, HIGHEST], dtype=torch.float64))
    edges = torch.linspace(float(ends[0]), float(ends[1]), MELS + 2, dtype=torch.float64)
    low, mid, high = edges[:-2], edges[1:-1], edges[2:]
    bands = torch.minimum((bins - low) / (mid - low), (high - bins) / (high - mid)).clamp(min=0)
    bands[0] = 0.0
    return bands.float()


def log_mel_patches(samples: Tensor, hop: int = PATCH // 2) -> Tensor:
    """What the network reads of sounds.

    Args:
        samples: `[B, T]` at 16 kHz in [-1, 1]; shorter ones than a patch are filled with silence.
        hop: frames of 10 ms between patches.

    Returns:
        `[B, N, 96, 64]`: ln(mel magnitude + 0.001).
    """
    samples = F.pad(samples.float(), (0, max(0, PATCH_SAMPLES - samples.shape[1])))
    window = torch.hann_window(FRAME, device=samples.device)
    frames = samples.unfold(1, FRAME, HOP) * window
    spectrum = torch.fft.rfft(frames, FFT).abs()
    mel = torch.log(spectrum @ mel_bands().to(samples.device) + FLOOR)
    return mel.unfold(1, PATCH, hop).transpose(2, 3)


class Separable(nn.Module):
    """A depthwise, then a pointwise convolution, each cut to [0, 6]."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(inside, inside, 3, stride, groups=inside)
        self.pointwise = nn.Conv2d(inside, outside, 1)

    def forward(self, x: Tensor, grids: tuple[Grid, Grid] | None = None) -> Tensor:
        """`[B, C, F, M]` -> `[B, C', F', M']`; on `grids` where what comes of each is rounded."""
        x = F.relu6(self.depthwise(same(x, self.stride)))
        x = x if grids is None else grids[0](x)
        x = F.relu6(self.pointwise(x))
        return x if grids is None else grids[1](x)


def same(x: Tensor, stride: int) -> Tensor:
    """Padded for a 3x3 convolution as TensorFlow's "SAME" does: the odd row at the far end."""
    pads: list[int] = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


class Yamnet(nn.Module):
    """Sounds `[B, T]` at 16 kHz to AudioSet logits and embeddings of every patch."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, STEM, 3, 2)
        inside, layers = STEM, []
        for outside, stride in LAYERS:
            layers.append(Separable(inside, outside, stride))
            inside = outside
        self.layers = nn.ModuleList(layers)
        self.classes = nn.Linear(WIDTH, CLASSES)

    def forward(self, samples: Tensor, hop: int = PATCH // 2, rounded: bool = False) -> Patches:
        """What is heard in sounds.

        Args:
            samples: `[B, T]` at 16 kHz in [-1, 1]; a peak of 0.8 is what the classes expect.
            hop: frames of 10 ms between patches.
            rounded: round every activation to 8 bits, as the file does whose weights these are.
                Numbers are finer without.
        """
        mel = log_mel_patches(samples, hop)
        found = self.embed(mel.flatten(0, 1), rounded)
        embeddings, traits = (x.unflatten(0, mel.shape[:2]) for x in found)
        logits = self.classes(embeddings)
        return Patches(LOGITS(logits) if rounded else logits, embeddings, traits)

    def embed(self, mel: Tensor, rounded: bool = False) -> tuple[Tensor, Tensor]:
        """log-mel patches `[N, 96, 64]` -> embeddings `[N, 1024]` and traits `[N, 2688]`."""
        x = (INPUTS(mel) if rounded else mel)[:, None]
        x = F.relu6(self.stem(same(x, 2)))
        x = ACTIVATIONS(x) if rounded else x
        traits = []
        for index, layer in enumerate(self.layers):
            second = LOWER if index == LOWER_LAYER else ACTIVATIONS
            x = layer(x, (ACTIVATIONS, second) if rounded else None)
            if index in MEAN_LAYERS:
                traits.append(x.mean(dim=(2, 3)))
            if index in SPREAD_LAYERS:
                traits.append(x.std(dim=(2, 3)))
        x = x.mean(dim=(2, 3))
        return (MEANS(x) if rounded else x), torch.cat(traits, dim=1)
