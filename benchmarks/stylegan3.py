"""How fast a StyleGAN3 draws: `python -m benchmarks.stylegan3 --resolution 64`.

Beside it stands one written plainly, with the same weights: every face's own modulated kernels in a
grouped convolution, zeros put between samples, and filters as wide as they are high.
"""

from __future__ import annotations

import argparse
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.generator import TOLERANCE, Clock, interleaved
from benchmarks.table import HEADER, Figure, markdown
from multimodal.generators.families.stylegan3 import SQRT2, Layer, StyleGAN3, StyleGAN3Config


def random_stylegan3(resolution: int, width: int, radial: bool = False, seed: int = 0) -> StyleGAN3:
    """A network with NVIDIA's initial weights.

    Args:
        resolution: side of the pictures.
        width: channels of the coarse layers; they halve towards the picture.
        radial: configuration R: 1x1 convolutions and filters that are the same in every direction.
        seed: of the weights.
    """
    channels = (width,) * 8 + (width // 2,) * 3 + (width // 4,) * 3 + (3,)
    kernel = 1 if radial else 3
    config = StyleGAN3Config(resolution, channels, 512, 512, conv_kernel=kernel, radial=radial)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = StyleGAN3(config).requires_grad_(False)
        model.start()
    return model.eval()


def synthesize(model: StyleGAN3, w_plus: Tensor) -> Tensor:
    """Codes `[B, L, D]` to pictures `[B, 3, R, R]`, plainly."""
    styles = model.styles(w_plus)
    x = model.synthesis.input(styles[0])
    for layer, style in zip(model.synthesis.layers(), styles[1:], strict=True):
        x = _layer(layer, x, style)
    return x


def _layer(layer: Layer, x: Tensor, style: Tensor) -> Tensor:
    x = _modulated(layer, x, style) + layer.bias[:, None, None]
    x = _finer(x, _square(layer.up_filter), layer.up, layer.padding)
    x = x if layer.colours else F.leaky_relu(x, 0.2) * SQRT2
    x = x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)
    return _filtered(x, _square(layer.down_filter))[..., :: layer.down, :: layer.down] * layer.scale


def _modulated(layer: Layer, x: Tensor, style: Tensor) -> Tensor:
    count, (outputs, inputs, kernel, _) = len(x), layer.weight.shape
    weight: Tensor = layer.weight
    if layer.colours:
        style = style / (inputs * kernel**2) ** 0.5
    else:
        weight = weight * weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
        style = style * style.square().mean().rsqrt()
    own = weight[None] * style[:, None, :, None, None]
    if not layer.colours:
        own = own * (own.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    own = (own * layer.magnitude_ema.rsqrt()).flatten(0, 1)
    x = F.conv2d(x.reshape(1, -1, *x.shape[2:]), own, padding=kernel - 1, groups=count)
    return x.view(count, outputs, *x.shape[2:])


def _square(taps: Tensor | None) -> Tensor:
    if taps is None:
        return torch.ones(1, 1)
    return taps if taps.ndim == 2 else torch.outer(taps, taps)


def _finer(x: Tensor, taps: Tensor, factor: int, padding: tuple[int, int]) -> Tensor:
    count, channels, height, width = x.shape
    spread = x.new_zeros(count, channels, height, factor, width, factor)
    spread[:, :, :, 0, :, 0] = x
    spread = spread.view(count, channels, height * factor, width * factor)
    return _filtered(F.pad(spread, (*padding, *padding)), taps * factor**2)


def _filtered(x: Tensor, taps: Tensor) -> Tensor:
    kernel = taps.flip(0, 1)[None, None].to(x).expand(x.shape[1], 1, *taps.shape)
    return F.conv2d(x, kernel, groups=x.shape[1])


@torch.no_grad()
def figures(
    model: StyleGAN3, batch: int, repeats: int, clock: Clock = time.perf_counter
) -> list[Figure]:
    """A line for drawing a batch.

    Raises:
        RuntimeError: the two do not draw the same.
    """
    codes = model.sample(batch, 1, 1.0).w
    works = {
        "ours": lambda: model.synthesize(codes),
        "plain": lambda: synthesize(model, codes),
    }
    ours, other = works["ours"](), works["plain"]()
    worst = float((ours - other).abs().max() / other.abs().max())
    if worst > TOLERANCE:
        raise RuntimeError(f"the two implementations differ by {worst:.2g}, more than {TOLERANCE}")
    timings = interleaved(works, repeats, model.device, clock)
    kind = "R" if model.config.radial else "T"
    work = f"StyleGAN3-{kind} {model.resolution} px, batch {batch}"
    seconds, plainly = timings["ours"].seconds, timings["plain"].seconds
    note = f"max diff {worst:.0e} of the largest"
    return [Figure(work, seconds, "a plain StyleGAN3", plainly, timings["ours"].megabytes, note)]


def main(arguments: list[str] | None = None) -> None:
    """Parse the options, measure, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args(arguments)
    rows = []
    for radial in (False, True):
        model = random_stylegan3(asked.resolution, asked.width, radial)
        for batch in asked.batch:
            rows += [figure.cells() for figure in figures(model, batch, asked.repeats)]
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, wall time\n")
    print(markdown(HEADER, rows))


if __name__ == "__main__":
    main()
