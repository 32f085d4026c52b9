"""What the methods share: their options, drawing a latent, applying an offset, saving networks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from multimodal.files.eight_bits import restored
from multimodal.files.weights import atomic
from multimodal.types import Generator, Latent, NoiseMode, Offset

Config = TypeVar("Config")
MAX_FILE_BYTES = 1 << 30


def read_options(config: type[Config], options: Mapping[str, Any]) -> Config:
    """A method's frozen config from the caller's options.

    Raises:
        ValueError: an option the method does not have.
    """
    known = [f.name for f in fields(config)]  # type: ignore[arg-type]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"unknown options {unknown}; this method has {sorted(known)}")
    return config(**options)


def draw(generator: Generator, latent: Latent) -> Tensor:
    """The picture `[B, 3, H, W]` of a latent, by its styles and noise where it has them."""
    noise: NoiseMode | Sequence[Tensor] = "const" if latent.noise is None else latent.noise
    if latent.styles is not None:
        return generator.synthesize_styles(latent.styles, noise=noise)
    return generator.synthesize(latent.w, noise=noise)


def styles_of(generator: Generator, latent: Latent) -> tuple[Tensor, ...]:
    """The S codes of a latent, each `[B, C_i]`."""
    return latent.styles if latent.styles is not None else tuple(generator.styles(latent.w))


def apply_offset(
    generator: Generator, latent: Latent, offset: Offset, strength: float = 1.0
) -> Latent:
    """`latent + strength * offset`; strength 0 returns `latent` itself.

    An offset in S, or a latent in S, makes a latent in S. A W+ offset carries over exactly, since
    every style is an affine function of its row of W+.
    """
    if strength == 0 or (offset.w is None and offset.styles is None):
        return latent
    w = latent.w if offset.w is None else latent.w + strength * offset.w
    meant = latent.meant + tuple(replace(one, amount=one.amount * strength) for one in offset.meant)
    if offset.styles is None and latent.styles is None:
        return Latent(w, None, latent.noise, meant)
    styles = styles_of(generator, latent)
    for change in offset_styles(generator, offset):
        styles = tuple(s + strength * c for s, c in zip(styles, change, strict=True))
    return Latent(w, styles, latent.noise, meant)


def offset_styles(generator: Generator, offset: Offset) -> list[tuple[Tensor, ...]]:
    """The parts of an offset as changes in S: its own, and that of its W+ part."""
    parts: list[tuple[Tensor, ...]] = []
    if offset.w is not None:
        zero = generator.styles(torch.zeros_like(offset.w))
        moved = generator.styles(offset.w)
        parts.append(tuple(m - z for m, z in zip(moved, zero, strict=True)))
    if offset.styles is not None:
        parts.append(offset.styles)
    return parts


def add_offsets(first: Offset, second: Offset) -> Offset:
    """The sum of two offsets."""
    w = first.w if second.w is None else second.w if first.w is None else first.w + second.w
    if first.styles is None or second.styles is None:
        return Offset(w, second.styles if first.styles is None else first.styles)
    pairs = zip(first.styles, second.styles, strict=True)
    return Offset(w, tuple(a + b for a, b in pairs))


def conv_indices(styles: int) -> list[int]:
    """Which of a StyleGAN2's style vectors feed convolutions, not toRGB layers (1, 4, 7, ...)."""
    return [i for i in range(styles) if i % 3 != 1]


def style_rows(styles: int) -> list[int]:
    """The row of W+ that feeds each style vector: 0, 1; 1, 2, 3; 3, 4, 5; ..."""
    return [2 * (i // 3) + (0 if i % 3 == 0 else 1) for i in range(styles)]


def split_styles(flat: Tensor, sizes: Sequence[int], indices: Sequence[int]) -> tuple[Tensor, ...]:
    """A vector over the style channels of `indices` `[B, N]` to all style vectors `[B, C_i]`, the
    others zero."""
    wanted = [sizes[i] for i in indices]
    if flat.shape[-1] != sum(wanted):
        raise ValueError(f"{flat.shape[-1]} channels given, this generator has {sum(wanted)}")
    parts = dict(zip(indices, flat.split(wanted, dim=-1), strict=True))
    empty = flat.new_zeros
    return tuple(
        parts[i] if i in parts else empty(*flat.shape[:-1], size) for i, size in enumerate(sizes)
    )


def style_sizes(generator: Generator) -> list[int]:
    """Channels of each style vector, network order."""
    return [
        s.shape[1] for s in generator.styles(generator.w_avg.expand(1, generator.num_layers, -1))
    ]


def save_tensors(path: Path | str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> Path:
    """Write tensors and a JSON description into one `.safetensors` file, then rename it."""
    from safetensors.torch import save_file

    path = Path(path)
    ready = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    with atomic(path) as part:
        save_file(ready, part, metadata={"about": json.dumps(about)})
    return path


def load_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote; matrices in 8 bits are float32 again.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is too large or not such a file.
    """
    from safetensors import SafetensorError, safe_open

    from multimodal.files.untrusted.tensors import check_header

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    try:
        check_header(path)
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            tensors = restored({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a readable .safetensors file: {error}") from error
    if not isinstance(about, dict):
        raise ValueError(f"{path} describes itself as {about!r:.60}, not as an object")
    return tensors, about
