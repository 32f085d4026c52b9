"""How fast the generator draws: `python -m benchmarks.generator --resolution 256 --batch 1 4`.

Prints one Markdown table. Ours and the plain baseline (`plain_stylegan2.py`) take turns in one
process with the same weights and codes; each figure is the fastest of the repeats, which other
load on the machine disturbs least. The roof is a 512-channel 3x3 convolution measured in between.
bfloat16 is measured where the machine has units for it; elsewhere it is emulated, minutes a step.
"""

from __future__ import annotations

import argparse
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import plain_stylegan2 as plain
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
    peaks = {name: _peak(work, device) for name, work in works.items()}
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


def measure(model: StyleGAN2, batch: int, repeats: int, clock: Clock) -> list[list[str]]:
    """The table's rows of one batch size."""
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
        rows.append(_row(label, batch, timings, passes * batch * flops(model), roofs, notes[label]))
    return rows


def gradient(model: StyleGAN2, w_plus: Tensor) -> Tensor:
    """As `plain.gradient`, through our network."""
    given = w_plus.detach().requires_grad_()
    (found,) = torch.autograd.grad(model.synthesize(given).square().mean(), given)
    return found


def table(rows: list[list[str]]) -> str:
    """The Markdown table."""
    lines = [HEADER, ["---"] * len(HEADER), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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


def _row(
    label: str,
    batch: int,
    timings: dict[str, Timing],
    work: float,
    roofs: dict[str, float],
    note: str,
) -> list[str]:
    seconds = {name: timing.seconds for name, timing in timings.items()}
    shares = [f"{work / seconds[name] / roof:.0%}" for name, roof in roofs.items()]
    half = seconds.get("bf16")
    return [
        label,
        str(batch),
        f"{seconds['plain']:.3f}",
        f"{seconds['ours']:.3f}",
        f"{seconds['plain'] / seconds['ours']:.2f}x",
        f"{half:.3f}" if half else "no units",
        f"{seconds['ours'] / half:.2f}x" if half else "",
        " / ".join(f"{timing.megabytes:.0f}" for timing in timings.values()),
        " / ".join(shares),
        note,
    ]


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


def _peak(work: Work, device: torch.device) -> float:
    """Megabytes above the level before, during a second run (the first fills caches)."""
    work()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
        work()
        return (torch.cuda.max_memory_allocated(device) - held) / 2**20
    done, before = threading.Event(), _resident()
    highest = before

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.002):
            highest = max(highest, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return highest - before


def _resident() -> float:
    status = Path("/proc/self/statm")
    if not status.is_file():
        return 0.0
    return int(status.read_text().split()[1]) * 4096 / 2**20


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
    print(table(rows))


if __name__ == "__main__":
    main()
