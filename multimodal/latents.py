"""The latent spaces of a StyleGAN2 and what is done in them.

=====  ==================================================================  ======================
space  what it is                                                          shape
=====  ==================================================================  ======================
Z      standard normal noise; only its direction counts                    `[B, z_dim]`
W      after the mapping network                                           `[B, D]`
W+     one W code a layer                                                  `[B, L, D]`
S      affine images of W+, one vector a modulated layer                   list of `[B, C_i]`
P      W before the last leaky ReLU: `LeakyReLU_5.0(w)`                    as W or W+
PN     P, centred and whitened by PCA: about standard normal               as W
PN+    PN of every row of W+                                               as W+
=====  ==================================================================  ======================

W and P, P and PN are exact inverses of each other; W+ to S is affine, and S to W+ exists only in
the least-squares sense. P and PN: Zhu et al. 2020, "Improved StyleGAN Embedding: Where are the Good
Latents?", sections 3.1-3.2. S: Wu et al. 2021, "StyleSpace Analysis".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.types import Generator

SLOPE = 0.2
"""Negative slope of the mapping network's last activation; P undoes it with 1 / SLOPE = 5."""

LayerSpec = str | int | Sequence[int | str] | None
GROUPS = ("coarse", "medium", "fine", "all")


ALL_SPACES = ("z", "w", "w+", "p", "pn+", "s")
"""What a StyleGAN2 has."""


def spaces_of(generator: Generator) -> tuple[str, ...]:
    """The names of the spaces that a generator's family has; a StyleGAN2's where it says nothing.
    "class" is a vector beside z that says what is drawn."""
    found: tuple[str, ...] = getattr(generator, "spaces", ALL_SPACES)
    return found


def require_space(generator: Generator, space: str, what: str) -> None:
    """Raise `ValueError` unless the generator has that space.

    Args:
        generator: whose family is asked.
        space: the name of a space.
        what: what needs it, for the message.
    """
    has = spaces_of(generator)
    if space not in has:
        family = getattr(generator, "family", "this generator")
        raise ValueError(f"{what} needs space {space!r}; {family} has {', '.join(has)}")


def w_to_p(w: Tensor) -> Tensor:
    """W or W+ to P or P+, `LeakyReLU_5.0`: undoes the mapping's last activation."""
    return F.leaky_relu(w, 1 / SLOPE)


def p_to_w(p: Tensor) -> Tensor:
    """P or P+ to W or W+: the inverse of `w_to_p`."""
    return F.leaky_relu(p, SLOPE)


def normalize_z(z: Tensor) -> Tensor:
    """`[..., z_dim]` scaled to length sqrt(z_dim): what the mapping network sees of z."""
    return z * (z.square().mean(dim=-1, keepdim=True) + 1e-8).rsqrt()


def broadcast_w(w: Tensor, rows: int) -> Tensor:
    """W `[B, D]` to W+ `[B, rows, D]`, every row the same."""
    return w[:, None].expand(-1, rows, -1).clone()


@dataclass(frozen=True)
class StylesInverse:
    """The W+ code nearest to S-space codes.

    Args:
        w_plus: least-squares solution `[B, L, D]`.
        residual: root mean square of `styles(w_plus) - styles`, `[B]`.
        exact: whether `residual` is rounding only, that is, the styles do come from a W+ code.
    """

    w_plus: Tensor
    residual: Tensor
    exact: bool


@torch.no_grad()
def styles_to_w_plus(generator: Generator, styles: Sequence[Tensor]) -> StylesInverse:
    """S to W+ by least squares, row by row (each row feeds one or two layers).

    Args:
        generator: whose affine maps define S.
        styles: network order, each `[B, C_i]`.

    Raises:
        ValueError: wrong number or sizes of styles.
    """
    rows, size = generator.num_layers, generator.style_dim
    matrices, biases = _affine_maps(generator)
    if [s.shape[-1] for s in styles] != [len(b) for b in biases]:
        raise ValueError(
            f"styles of sizes {[s.shape[-1] for s in styles]} given, "
            f"this generator has {[len(b) for b in biases]}"
        )
    owners = _rows_of_styles(generator, len(biases))
    w_plus = torch.zeros(len(styles[0]), rows, size, dtype=torch.float64)
    for row in range(rows):
        fed = [i for i, owner in enumerate(owners) if owner == row]
        matrix = torch.cat([matrices[i] for i in fed])
        wanted = torch.cat([(styles[i].cpu().double() - biases[i]).t() for i in fed])
        w_plus[:, row] = torch.linalg.lstsq(matrix, wanted, driver="gelsd").solution.t()
    found = w_plus.to(styles[0])
    errors = [a - b for a, b in zip(generator.styles(found), styles, strict=True)]
    residual = torch.cat(errors, dim=1).square().mean(dim=1).sqrt()
    scale = torch.cat(list(styles), dim=1).square().mean(dim=1).sqrt()
    return StylesInverse(found, residual, bool((residual <= 1e-3 * scale.clamp_min(1e-6)).all()))


def truncate(w_plus: Tensor, centre: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
    """Pull codes towards the average: `centre + psi (w - centre)` on the first `cutoff` rows.

    Args:
        w_plus: `[B, L, D]`.
        centre: `[D]`, usually `generator.w_avg`.
        psi: 1 leaves the codes alone, 0 gives the centre.
        cutoff: rows truncated; None for all.
    """
    pulled = torch.lerp(centre.expand_as(w_plus), w_plus, psi)
    if cutoff is None:
        return pulled
    return torch.cat([pulled[:, :cutoff], w_plus[:, cutoff:]], dim=1)


def lerp(a: Tensor, b: Tensor, t: Tensor | float) -> Tensor:
    """`a + t (b - a)`, exact at both ends."""
    weight = torch.as_tensor(t, dtype=a.dtype, device=a.device)
    return torch.lerp(a, b, weight)


def slerp(a: Tensor, b: Tensor, t: Tensor | float, centre: Tensor | float = 0.0) -> Tensor:
    """Interpolate along the great circle around `centre`, lengths linearly (Shoemake 1985).

    Args:
        a: `[..., D]`.
        b: same shape.
        t: 0 gives a, 1 gives b; broadcasts to `[..., 1]`.
        centre: of the sphere: 0 in Z, `w_avg` in W and W+.
    """
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device)
    u, v = a - centre, b - centre
    lengths = u.norm(dim=-1, keepdim=True), v.norm(dim=-1, keepdim=True)
    unit_u, unit_v = (x / n.clamp_min(1e-12) for x, n in zip((u, v), lengths, strict=True))
    # atan2 of the half-angle chords stays accurate for tiny and for almost opposite angles.
    angle = 2 * torch.atan2(
        (unit_u - unit_v).norm(dim=-1, keepdim=True), (unit_u + unit_v).norm(dim=-1, keepdim=True)
    )
    sine = angle.sin()
    direction = ((1 - t) * angle).sin() / sine * unit_u + (t * angle).sin() / sine * unit_v
    straight = torch.lerp(u, v, t)
    round_ = direction * torch.lerp(*lengths, t)
    # No unique great circle between parallel, opposite or zero vectors: go straight.
    lost = (sine.abs() < 1e-4) | (lengths[0] * lengths[1] == 0)
    return centre + torch.where(lost, straight, round_)


def interpolate(
    a: Tensor, b: Tensor, frames: int, how: str = "lerp", centre: Tensor | float = 0.0
) -> Tensor:
    """`frames` evenly spaced points from a to b, both included.

    Args:
        a: one point, `[1, ...]`.
        b: same shape.
        frames: at least 2.
        how: "lerp" or "slerp".
        centre: of the sphere, for slerp.

    Returns:
        `[frames, ...]`.
    """
    if frames < 2:
        raise ValueError(f"{frames} frames asked for, at least 2 are needed")
    t = torch.linspace(0, 1, frames, dtype=a.dtype, device=a.device)
    t = t.view(-1, *[1] * (a.ndim - 1))
    a, b = a.expand(frames, *a.shape[1:]), b.expand(frames, *b.shape[1:])
    if how == "lerp":
        return lerp(a, b, t)
    if how == "slerp":
        return slerp(a, b, t, centre)
    raise ValueError(f"interpolation {how!r} is not one of 'lerp', 'slerp'")


def layer_groups(rows: int) -> dict[str, range]:
    """Rows of W+ by what they govern: pose and shape, features and hair, colours.

    From 64 px up (10 rows): coarse 0-3 (4-8 px), medium 4-7 (16-32 px), fine the rest, as in Karras
    et al. 2019, section 3.1, for 18 rows. Smaller networks are cut into thirds.
    """
    if rows < 3:
        raise ValueError(f"{rows} rows cannot be split into coarse, medium and fine")
    first, second = (4, 8) if rows >= 10 else (rows // 3, 2 * rows // 3)
    return {
        "coarse": range(first),
        "medium": range(first, second),
        "fine": range(second, rows),
        "all": range(rows),
    }


def parse_layers(spec: LayerSpec, rows: int) -> tuple[int, ...]:
    """The rows that a specification names, sorted.

    Args:
        spec: None or "all"; groups, rows and spans such as "coarse", "0-3,7", "medium,12-"; or a
            sequence of such items. Negative rows count from the end ("-1" is the last).
        rows: rows L of W+.

    Raises:
        ValueError: something that is neither, nothing at all, or a row that does not exist.
    """
    if spec is None:
        return tuple(range(rows))
    items: Sequence[int | str] = [spec] if isinstance(spec, int | str) else spec
    words = [word.strip() for item in items for word in str(item).split(",")]
    if not any(words):
        raise ValueError(f"layers {spec!r} name no row: give rows or groups, or None for all")
    found: set[int] = set()
    for word in words:
        found.update(_rows_of(word, rows))
    return tuple(sorted(found))


def layer_mask(spec: LayerSpec, rows: int, device: torch.device | str = "cpu") -> Tensor:
    """`[1, rows, 1]` of ones at the rows of `parse_layers(spec, rows)` and zeros elsewhere."""
    mask = torch.zeros(1, rows, 1, device=device)
    mask[:, list(parse_layers(spec, rows))] = 1
    return mask


def mix_styles(a: Tensor, b: Tensor, layers: LayerSpec, amount: float = 1.0) -> Tensor:
    """Style mixing: a with the given rows moved to b's.

    Args:
        a: `[B, L, D]`.
        b: `[B or 1, L, D]`.
        layers: as `parse_layers` takes them.
        amount: 1 replaces the rows, 0.5 goes half the way.
    """
    mask = layer_mask(layers, a.shape[1], a.device).to(a.dtype)
    return torch.lerp(a, b.expand_as(a), mask * amount)


def _rows_of(word: str, rows: int) -> Sequence[int]:
    if word in GROUPS:
        return layer_groups(rows)[word]
    sign = "-" if word.startswith("-") else ""
    first, dash, last = word.removeprefix("-").partition("-")
    try:
        start = int(sign + first)
        stop = start if not dash else rows - 1 if not last else int(last)
    except ValueError:
        raise ValueError(
            f"layers {word!r} is neither a row, a span such as '0-3' nor one of {', '.join(GROUPS)}"
        ) from None
    start, stop = (i + rows if i < 0 else i for i in (start, stop))
    if not 0 <= start <= stop < rows:
        raise ValueError(f"layers {word!r} reach outside rows 0..{rows - 1}")
    return range(start, stop + 1)


def _affine_maps(generator: Generator) -> tuple[list[Tensor], list[Tensor]]:
    """Matrices `[C_i, D]` and biases `[C_i]` of the maps from W to each style, by probing."""
    size, rows = generator.style_dim, generator.num_layers
    points = torch.cat([torch.zeros(1, size), torch.eye(size)]).to(generator.device)
    images = generator.styles(broadcast_w(points, rows))
    biases = [image[0].cpu().double() for image in images]
    pairs = zip(images, biases, strict=True)
    return [(image[1:].cpu().double() - bias).t() for image, bias in pairs], biases


def _rows_of_styles(generator: Generator, count: int) -> list[int]:
    """The row of W+ that feeds each style, by moving one row at a time."""
    rows, size = generator.num_layers, generator.style_dim
    moved = torch.zeros(rows + 1, rows, size, device=generator.device)
    moved[torch.arange(rows) + 1, torch.arange(rows)] = 1 / math.sqrt(size)
    moved *= torch.randn(size, generator=torch.Generator().manual_seed(0)).to(moved)
    changes = [(s[1:] - s[:1]).square().sum(dim=1) for s in generator.styles(moved)]
    return [int(changes[i].argmax()) for i in range(count)]
