"""How fast the generator draws: `python -m benchmarks.generator --resolution 256 --batch 1 4`.

Prints one Markdown table. Ours and the plain baseline (`plain_stylegan2.py`) take turns in one
process with the same weights and codes; each figure is the fastest of the repeats, which other
load on the machine disturbs least. The roof is a 512-channel 3x3 convolution measured in between.
bfloat16 is measured where the machine has units for it; elsewhere it is emulated, minutes a step.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import plain_stylegan2 as plain
from benchmarks.memory import peak
from benchmarks.table import Figure, markdown
from multimodal.devices import fast_dtype, pick_device
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config, channels_for

Work = Callable[[], Tensor]
Clock = Callable[[], float]
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Timing:
    """Seconds of the fastest run, and how much memory above the start one run took.

    Args:
        seconds: of the fastest repeat.
        megabytes: peak above the level before, sampled (exact on CUDA).
    """

    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Measured:
    """What was found for one kind of work and one batch size.

    Args:
        label: of the work.
        batch: pictures at once.
        timings: by "plain", "ours" and, where there are units for it, "bf16".
        shares: of the measured convolution roof, in the order of ours and bf16.
        note: how well the results agree.
    """

    label: str
    batch: int
    timings: dict[str, Timing]
    shares: tuple[float, ...]
    note: str

    def cells(self) -> list[str]:
        """As a line of this benchmark's own table."""
        seconds = {name: timing.seconds for name, timing in self.timings.items()}
        half = seconds.get("bf16")
        return [
            self.label,
            str(self.batch),
            f"{seconds['plain']:.3f}",
            f"{seconds['ours']:.3f}",
            f"{seconds['plain'] / seconds['ours']:.2f}x",
            f"{half:.3f}" if half else "no units",
            f"{seconds['ours'] / half:.2f}x" if half else "",
            " / ".join(f"{timing.megabytes:.0f}" for timing in self.timings.values()),
            " / ".join(f"{share:.0%}" for share in self.shares),
            self.note,
        ]

    def figures(self) -> list[Figure]:
        """As lines of the table of all benchmarks."""
        pairs = [("ours", "plain", "a plain StyleGAN2", "")]
        if "bf16" in self.timings:
            pairs.append(("bf16", "ours", "ours in float32", " in bf16"))
        return [
            Figure(
                f"{self.label}, batch {self.batch}{how}",
                self.timings[one].seconds,
                against,
                self.timings[other].seconds,
                self.timings[one].megabytes,
                f"{share:.0%} of the convolution roof, {self.note}",
            )
            for (one, other, against, how), share in zip(pairs, self.shares, strict=True)
        ]


def random_generator(resolution: int, channel_base: int, seed: int = 0) -> StyleGAN2:
    """A full-size network with seeded weights of trained-like sizes."""
    torch.manual_seed(seed)
    config = StyleGAN2Config(resolution, channels_for(resolution, channel_base))
    model = StyleGAN2(config).eval().requires_grad_(False)
    for conv in model.synthesis.conv_layers():
        conv.noise_strength.fill_(0.1)
    for block in model.synthesis.blocks:
        block.torgb.weight.mul_(0.25)
    return model


def flops(model: StyleGAN2) -> float:
    """Multiply-adds of one picture's convolutions, times two; up-sampling ones at their input."""
    total: float = 0.0
    for conv in model.synthesis.conv_layers():
        side = conv.resolution // 2 if conv.up else conv.resolution
        total += 2 * conv.weight.numel() * side * side
    return total


def interleaved(
    works: dict[str, Work], repeats: int, device: torch.device, clock: Clock = time.perf_counter
) -> dict[str, Timing]:
    """Time several works in turns, after two warm-ups each."""
    peaks = {}
    for name, work in works.items():
        work()  # fills caches
        peaks[name] = peak(work, device)
    best = dict.fromkeys(works, math.inf)
    for _ in range(repeats):
        for name, work in works.items():
            _synchronise(device)
            start = clock()
            work()
            _synchronise(device)
            best[name] = min(best[name], clock() - start)
    return {name: Timing(best[name], peaks[name]) for name in works}


def conv_roof(dtype: torch.dtype, device: torch.device, clock: Clock, repeats: int = 5) -> float:
    """FLOP/s of a 3x3, 512-channel, 64 px channels-last convolution."""
    x = torch.randn(1, 512, 64, 64, device=device, dtype=dtype)
    weight = torch.randn(512, 512, 3, 3, device=device, dtype=dtype)
    x, weight = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight))
    with torch.no_grad():
        timing = interleaved(
            {"conv": lambda: F.conv2d(x, weight, padding=1)}, repeats, device, clock
        )
    return 2 * weight.numel() * 64 * 64 / timing["conv"].seconds


def psnr(exact: Tensor, other: Tensor) -> float:
    """Decibels, for pictures with a range of 2."""
    error = float((exact.clamp(-1, 1) - other.clamp(-1, 1)).square().mean())
    return math.inf if error == 0 else 10 * math.log10(4 / error)


def measure(model: StyleGAN2, batch: int, repeats: int, clock: Clock) -> list[Measured]:
    """Forward, and forward with backward, of one batch size."""
    device = model.device
    kept = ("plain", "ours", "bf16")[: 3 if fast_dtype(device) == torch.bfloat16 else 2]
    w_plus = model.sample(batch, seed=1, truncation=1.0).w
    forward: dict[str, Work] = {
        "plain": lambda: _quietly(lambda: plain.synthesize(model, w_plus)),
        "ours": lambda: _quietly(lambda: model.synthesize(w_plus)),
        "bf16": lambda: _in_bf16(model, lambda: _quietly(lambda: model.synthesize(w_plus))),
    }
    step: dict[str, Work] = {
        "plain": lambda: plain.gradient(model, w_plus),
        "ours": lambda: gradient(model, w_plus),
        "bf16": lambda: _in_bf16(model, lambda: gradient(model, w_plus)),
    }
    forward, step = ({name: works[name] for name in kept} for works in (forward, step))
    images = {name: work() for name, work in forward.items()}
    worst = float((images["plain"] - images["ours"]).abs().max())
    if worst > TOLERANCE:
        raise RuntimeError(f"the two implementations differ by {worst:.2g}, more than {TOLERANCE}")
    notes = {
        "forward": f"max diff {worst:.0e}" + _bf16_note(images),
        "forward + backward": _gradient_note(step),
    }
    roofs = {
        name: conv_roof(dtype, device, clock) for name, dtype in _ROOFS.items() if name in kept
    }
    rows = []
    for label, works, passes in (("forward", forward, 1), ("forward + backward", step, 2)):
        timings = interleaved(works, repeats, device, clock)
        work = passes * batch * flops(model)
        shares = tuple(work / timings[name].seconds / roof for name, roof in roofs.items())
        rows.append(Measured(label, batch, timings, shares, notes[label]))
    return rows


def gradient(model: StyleGAN2, w_plus: Tensor) -> Tensor:
    """As `plain.gradient`, through our network."""
    given = w_plus.detach().requires_grad_()
    (found,) = torch.autograd.grad(model.synthesize(given).square().mean(), given)
    return found


HEADER = [
    "work",
    "batch",
    "plain s",
    "ours s",
    "ratio",
    "bf16 s",
    "bf16 ratio",
    "peak MB plain / ours / bf16",
    "share of roof fp32 / bf16",
    "agreement",
]
_ROOFS = {"ours": torch.float32, "bf16": torch.bfloat16}


def _bf16_note(images: dict[str, Tensor]) -> str:
    if "bf16" not in images:
        return ""
    return f", bf16 {psnr(images['ours'], images['bf16']):.1f} dB"


def _gradient_note(step: dict[str, Work]) -> str:
    found = {name: work() for name, work in step.items()}
    exact, ours = found["plain"], found["ours"]
    worst = float((exact - ours).abs().max()) / float(exact.abs().max())
    note = f"max diff {worst:.0e} of the largest"
    if "bf16" not in found:
        return note
    cosine = float(F.cosine_similarity(ours.flatten(), found["bf16"].flatten(), dim=0))
    return f"{note}, bf16 cosine {cosine:.4f}"


def _quietly(work: Work) -> Tensor:
    with torch.no_grad():
        return work()


def _in_bf16(model: StyleGAN2, work: Work) -> Tensor:
    kept, model.dtype = model.dtype, torch.bfloat16
    try:
        return work()
    finally:
        model.dtype = kept


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def main() -> None:
    """Parse the options, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--channel-base", type=int, default=32768)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="count this process's CPU seconds (with --threads 1, for a machine that is busy)",
    )
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    model = random_generator(options.resolution, options.channel_base).to(device)
    clock = time.process_time if options.cpu_time else time.perf_counter
    rows = [row for batch in options.batch for row in measure(model, batch, options.repeats, clock)]
    print(
        f"StyleGAN2 {options.resolution} px, channel base {options.channel_base}, {device}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"{'CPU' if options.cpu_time else 'wall'} time\n"
    )
    print(markdown(HEADER, (row.cells() for row in rows)))


if __name__ == "__main__":
    main()
