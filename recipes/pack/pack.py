"""Pack trained parts into a model folder that can be shipped.

    python -m recipes.pack --generator runs/mapping/generator.safetensors --encoder runs/encoder \
        --clip runs/clip/clip --sound runs/ears/encoder --directions runs/directions \
        --about runs/about.json --out multimodal/bundle/default

Weights are rounded to float16, or to 8 bits, where that costs nothing: a part whose outputs would
differ by more than `TOLERANCE` stays as it was. The folder is built beside its place and renamed
into it, so that there is always a whole model or none. Everything but the generator may be left
out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from multimodal.editing.assemble import CLIP
from multimodal.files.bundled import HOME, MANIFEST, Bundle, write_manifest
from multimodal.files.eight_bits import rounded
from multimodal.files.low_rank import SMALL
from multimodal.files.weights import atomic
from multimodal.generators.native import config_path, write_safetensors
from recipes.pack.about import About, read_about
from recipes.pack.bundle_parts import METHODS, PARTS, Part, sample_pictures

MAX_BYTES = 100_000_000
"""Of all shipped models together."""

TOLERANCE = 0.01
"""Largest relative difference of a part's outputs, `|after - before| / |before|`, at which its
weights are rounded to float16, or to 8 bits. Half a grey level in a picture is 0.008; unit vectors
that differ by this have a cosine of 0.99995."""

TOLERANCE_OF_WORDS = 0.02
"""The same for the table of word vectors in 8 bits (cosine 0.9998)."""

ABOUT = "about.json"
_WORD_TABLE = "word_embeddings.weight"

Rule = Callable[[str, Tensor], dict[str, Tensor]]
"""A tensor by its name, to what is stored of it."""


@dataclass(frozen=True)
class Stored:
    """How a part was stored.

    Args:
        part: its name.
        kept: "8 bits", "float16", "float8 words" or "as given".
        difference: of its outputs from those of the weights given, relative.
        size: bytes of its weights.
    """

    part: str
    kept: str
    difference: float
    size: int

    def __str__(self) -> str:
        size = f"{self.size / 1e6:.1f} MB"
        return f"{self.part}: {size}, {self.kept}, outputs differ by {self.difference:.1e}"


@dataclass(frozen=True)
class Packed:
    """A packed model: the folder, and how each part was stored."""

    bundle: Bundle
    parts: tuple[Stored, ...]


def pack(
    sources: Mapping[str, Path],
    out: Path,
    about: About,
    methods: Path | None = None,
    small_words: bool = False,
    limit: int = MAX_BYTES,
) -> Packed:
    """Build a model folder and put it in its place.

    Args:
        sources: path of each part by name (`recipes.pack.bundle_parts.PARTS`); "generator" is
        needed. out: the folder; a model folder there is replaced.
        about: what the model was made of, for its card.
        methods: a `methods.json` of measured gains, or None.
        small_words: store CLIP's table of word vectors in 8 bits: a tenth of the bundle.
        limit: bytes that all shipped models may have together.

    Raises:
        ValueError: an unknown part, no generator, a part that cannot be read, `out` is something
            else than a model folder, or the bundle would be too large.
        FileNotFoundError: a source that does not exist.
    """
    _check(sources, out)
    with beside(out) as stage:
        stored, pictures = [], torch.empty(0)
        for part in (p for p in PARTS if p.name in sources):
            part.place(Path(sources[part.name]), stage)
            pictures = pictures if len(pictures) else sample_pictures(stage)
            stored.append(_store(part, stage, pictures, small_words))
        if (stage / CLIP).is_dir():
            _relocate(stage / CLIP, out / CLIP)
        _write_json(stage / ABOUT, asdict(about))
        if methods is not None:
            shutil.copyfile(methods, stage / METHODS)
        licences = {p.prefix: p.licence(stage) for p in PARTS if p.name in sources}
        bundle = write_manifest(stage, licences)
        _check_size(bundle, out, stored, limit)
        put_in_place(stage, out)
    return Packed(Bundle(out, bundle.files), tuple(stored))


def difference(first: Tensor, second: Tensor) -> float:
    """Relative difference of outputs of any one shape, `|second - first| / |first|`."""
    return float((second - first).norm() / first.norm().clamp(min=1e-12))


def round_file(path: Path, rule: Rule) -> None:
    """Round a file's tensors by a rule. A digest in the JSON beside it follows."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    ready = {k: v for name, tensor in tensors.items() for k, v in rule(name, tensor).items()}
    digest, beside = write_safetensors(path, ready, metadata), config_path(path)
    described = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    if "sha256" in described:
        _write_json(beside, described | {"sha256": digest})


def halved(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """float32 tables and kernels in float16; scalars, vectors and what float16 cannot hold stay."""
    if tensor.dtype != torch.float32 or tensor.ndim < 2:
        return {name: tensor}
    half = tensor.half()
    return {name: half if bool(half.isfinite().all()) else tensor}


def small_words_halved(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """As `halved`, but word vectors in 8 bits, as open_clip can read them."""
    if name.endswith(_WORD_TABLE):
        return {name: tensor.to(torch.float8_e4m3fn)}
    return halved(name, tensor)


def in_eight_bits(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Matrices in 8 bits with scales; as `halved` where they are small, vectors, or rounded."""
    floats = tensor.dtype in (torch.float32, torch.float16)
    if not floats or tensor.ndim < 2 or tensor.numel() <= SMALL:
        return halved(name, tensor)
    return rounded(name, tensor)


@torch.no_grad()
def _store(part: Part, stage: Path, pictures: Tensor, small_words: bool) -> Stored:
    """Round a placed part's weights, as far as its outputs allow."""
    files = [stage / name for name in part.files if (stage / name).is_file()]
    before = part.probe(stage, pictures)
    if not bool(before.isfinite().all()):
        raise ValueError(f"the {part.name} gives numbers that are not finite: it cannot be shipped")
    tries: list[tuple[str, Rule, float]] = [("float16", halved, TOLERANCE)]
    if small_words and part.name == "clip":
        tries.insert(0, ("float8 words", small_words_halved, TOLERANCE_OF_WORDS))
    if part.eight_bits:
        tries.insert(0, ("8 bits", in_eight_bits, TOLERANCE))
    for kept, rule, tolerance in tries:
        originals = _contents(files)
        for file in files:
            round_file(file, rule)
        found = difference(before, part.probe(stage, pictures))
        if found <= tolerance:
            return Stored(part.name, kept, found, sum(f.stat().st_size for f in files))
        for path, content in originals.items():
            path.write_bytes(content)
    return Stored(part.name, "as given", 0.0, sum(f.stat().st_size for f in files))


def _contents(files: list[Path]) -> dict[Path, bytes]:
    """Weights and the JSON beside them, to be put back where rounding costs too much."""
    both = (path for file in files for path in (file, config_path(file)))
    return {path: path.read_bytes() for path in both if path.is_file()}


def _relocate(folder: Path, home: Path) -> None:
    """Raw open_clip finds the text tower by a path: the one that the folder will have."""
    from guidance.clip import relocate

    home, here = home.resolve(), Path.cwd()
    relocate(folder, (home.relative_to(here) if home.is_relative_to(here) else home).as_posix())


def _check(sources: Mapping[str, Path], out: Path) -> None:
    known = [part.name for part in PARTS]
    unknown = sorted(set(sources) - set(known))
    if unknown:
        raise ValueError(f"parts {unknown} are not among {', '.join(known)}")
    if "generator" not in sources:
        raise ValueError("a model needs a generator")
    for name, source in sources.items():
        if not Path(source).exists():
            raise FileNotFoundError(f"the {name} is not at {source}")
    if out.exists() and not (out / MANIFEST).is_file() and any(out.iterdir()):
        raise ValueError(f"{out} is not a model folder and is not empty: choose another")


def _check_size(bundle: Bundle, out: Path, stored: list[Stored], limit: int) -> None:
    mine, others = bytes_of(bundle), shipped_besides(out, bundle)
    if mine + others > limit:
        parts = "; ".join(map(str, stored))
        raise ValueError(
            f"the bundle would have {(mine + others) / 1e6:.1f} MB ({others / 1e6:.1f} MB in other "
            f"shipped folders), more than {limit / 1e6:g} MB: leave a part out, or store word "
            f"vectors in 8 bits (--small-words). {parts}"
        )


def bytes_of(bundle: Bundle) -> int:
    """Bytes of a model's files."""
    return sum(file.size for file in bundle.files.values())


def shipped_besides(out: Path, bundle: Bundle) -> int:
    """Bytes that the other shipped models have, if `out`, where `bundle` is to go, is among them;
    else 0."""
    if out.resolve().parent != HOME:
        return 0
    files = [p for p in HOME.rglob("*") if p.is_file()]
    skipped = {out.resolve(), bundle.root.resolve()}
    return sum(p.stat().st_size for p in files if not skipped & set(p.parents))


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out`, removed where it was not renamed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    stage.chmod(0o755)  # mkdtemp makes private folders
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def put_in_place(stage: Path, out: Path) -> None:
    """Rename `stage` to `out`; what was there comes back when that fails."""
    old = out.with_name(f".{out.name}-old-{os.getpid()}")
    if out.exists():
        out.rename(old)
    try:
        stage.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with atomic(path) as part:
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        "python -m recipes.pack", description=(__doc__ or "").split("\n")[0]
    )
    for part in PARTS:
        needed = part.name == "generator"
        out.add_argument(f"--{part.name}", type=Path, required=needed, help=part.about)
    out.add_argument("--methods", type=Path, help="a methods.json of measured gains")
    out.add_argument("--about", type=Path, required=True, help="JSON: what the model was made of")
    out.add_argument("--out", type=Path, default=HOME / "default", help="the model folder")
    out.add_argument("--small-words", action="store_true", help="word vectors of CLIP in 8 bits")
    return out


def main() -> None:
    """Parse the command line, pack, say how each part was stored."""
    options = parser().parse_args()
    values = vars(options)
    named = {part.name: values[part.name.replace("-", "_")] for part in PARTS}
    sources = {name: path for name, path in named.items() if path is not None}
    try:
        about = read_about(options.about)
        done = pack(sources, options.out, about, options.methods, options.small_words)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{error}")
    total = sum(file.size for file in done.bundle.files.values())
    print("\n".join(map(str, done.parts)), f"{done.bundle.root}: {total / 1e6:.1f} MB", sep="\n")


if __name__ == "__main__":
    main()
