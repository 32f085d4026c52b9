"""Pack a fine-tuned model as what differs from a shipped one.

    python -m recipes.pack.pack_variant --base multimodal/bundle/default --model \
        runs/portrait-model --about runs/portrait.json --out multimodal/bundle/portrait

The model is a folder of `recipes.pack.pack`; of it, the generator and the encoder are kept, as thin
matrices to be added to the base's (`multimodal.files.low_rank`). All else stays the base's.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from multimodal.files.bundled import HOME, MANIFEST, Bundle, find_bundle
from multimodal.files.variants import VARIANT, base_of, write_variant
from recipes.pack.about import read_about
from recipes.pack.bundle_parts import METHODS
from recipes.pack.pack import ABOUT, MAX_BYTES, beside, bytes_of, put_in_place, shipped_besides


def pack_variant(
    base: Path,
    model: Path,
    about: Path,
    out: Path,
    methods: Path | None = None,
    limit: int = MAX_BYTES,
) -> Bundle:
    """Build a variant's folder and put it in its place; returns what its manifest says.

    Args:
        base: folder of the model it was fine-tuned from.
        model: folder of the result.
        about: what the variant was made of (`recipes.pack.about`).
        out: the folder; a variant there is replaced.
        methods: a `methods.json` of gains measured for it, or None: the base's.
        limit: bytes that all shipped models may have together.

    Raises:
        FileNotFoundError: a folder or a network is missing.
        ValueError: the two do not fit, `out` holds something else, or the bundle is too large.
    """
    if out.exists() and not (out / VARIANT).is_file() and any(out.iterdir()):
        raise ValueError(f"{out} is not a variant and is not empty: choose another")
    read_about(about)
    with beside(out) as stage:
        shutil.copyfile(about, stage / ABOUT)
        if methods is not None:
            shutil.copyfile(methods, stage / METHODS)
        bundle = write_variant(base, model, stage)
        base_of(stage)  # a base that is neither beside it nor shipped is told now
        total = bytes_of(bundle) + shipped_besides(out, bundle)
        if total > limit:
            raise ValueError(f"the shipped models would have {total / 1e6:.1f} MB together")
        put_in_place(stage, out)
    return find_bundle(out.resolve())


def main(
    model: Annotated[Path, typer.Option(help="folder of the fine-tuned model")],
    about: Annotated[Path, typer.Option(help="JSON: what the variant was made of")],
    out: Annotated[Path, typer.Option(help="the variant's folder")],
    base: Annotated[Path, typer.Option(help="folder of the model it began as")] = HOME / "default",
    methods: Annotated[Path | None, typer.Option(help="methods.json, if its gains differ")] = None,
) -> None:
    """Pack what differs."""
    try:
        bundle = pack_variant(base, model, about, out, methods)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"{error}") from error
    size = bytes_of(bundle) / 1e6
    typer.echo(f"{out / MANIFEST}: {len(bundle.files)} files of {size:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
