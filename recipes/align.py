"""Align photos of people as FFHQ's are, for the trainers that take a folder of them.

    python -m recipes.align --photos my-photos --out photos/aligned --size 256

Faces are found, turned upright and cropped; photos without one are named and left out. Photos that
are there already are kept: the same command goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from multimodal.faces import NoFaceError, align_or_crop
from multimodal.files.weights import atomic
from multimodal.images import ImageError, load_image
from recipes.data import PICTURES


def align(photos: Path, out: Path, size: int) -> tuple[list[Path], dict[Path, str]]:
    """Write the largest face of every photo as `out/<name>.png`, subfolders kept, without a mark.

    Args:
        photos: folder of pictures, subfolders included.
        out: folder of the crops.
        size: side of a crop in pixels.

    Returns:
        the crops, and why each photo without one has none.

    Raises:
        FileNotFoundError: no pictures there.
    """
    sources = sorted(p for p in photos.rglob("*") if p.suffix.lower() in PICTURES)
    if not sources:
        raise FileNotFoundError(f"no pictures in {photos}")
    written, left_out = [], {}
    for source in track(sources, "aligning", console=Console(stderr=True)):
        inside = source.relative_to(photos)
        target = out / inside.parent / f"{inside.name}.png"  # a.jpg and a.png may lie side by side
        try:
            if not target.is_file():
                _align_one(source, target, size)
            written.append(target)
        except (ImageError, NoFaceError) as error:
            left_out[source] = str(error)
    return written, left_out


def _align_one(source: Path, target: Path, size: int) -> None:
    crop, _, _ = align_or_crop(load_image(source), size, mode="detect")
    with atomic(target) as part:
        crop.save(part, "PNG")


def main(
    photos: Annotated[Path, typer.Option(help="folder of photos, subfolders included")],
    out: Annotated[Path, typer.Option(help="folder of the aligned faces")],
    size: Annotated[int, typer.Option(min=32, max=1024, help="their side in pixels")] = 256,
) -> None:
    """Align every photo of a folder."""
    written, left_out = align(photos, out, size)
    for source, why in left_out.items():
        typer.echo(f"{source}: {why}", err=True)
    typer.echo(f"{len(written)} faces in {out}, {len(left_out)} photos left out")


if __name__ == "__main__":
    typer.run(main)
