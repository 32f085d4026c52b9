"""Label what the parser learns from.

    python -m recipes.parser.label renders --data renders/pairs
    python -m recipes.parser.label photos --photos portraits --teachers teachers --out runs/photos

``renders`` writes `labels.npy` into every shard that `recipes.render` made, from its factors;
``photos`` the sets of classes (`recipes.parser.partial`) that MediaPipe's networks leave possible.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from multimodal.files.weights import atomic
from multimodal.images import load_image
from recipes.data import PICTURES, read_rows
from recipes.parser.data import IMAGES, LABELS, NAMES, SETS
from recipes.parser.partial import SIDE, sets_of
from recipes.parser.teachers import Teachers
from recipes.render.factors import Factors

OnPicture = Callable[[int], None]


def label_renders(folder: Path, on_picture: OnPicture | None = None) -> int:
    """Label every shard that has none; returns how many pictures were labelled.

    Raises:
        FileNotFoundError: no shards there.
    """
    from recipes.render.labels import render_labels

    shards = [p for p in sorted(folder.glob("shard_*")) if (p / IMAGES).is_file()]
    if not shards:
        raise FileNotFoundError(f"no shards in {folder}")
    done = 0
    for shard in shards:
        if (shard / LABELS).is_file():
            continue
        side, found = np.load(shard / IMAGES, "r").shape[1], []
        for row in read_rows(shard, "factors"):
            found.append(render_labels(Factors.from_dict(row), side))
            done += 1
            if on_picture:
                on_picture(done)
        _save(shard / LABELS, np.stack(found))
    return done


def label_photos(
    photos: Path,
    teachers: Path,
    out: Path,
    split: str = "train",
    on_picture: OnPicture | None = None,
) -> int:
    """Write pictures, sets and names of the photographs of a split; returns how many.

    Args:
        photos: aligned pictures; an `index.csv` there (columns `file` and `split`) says of which
            split each is.
        teachers: folder of MediaPipe's models.
        out: where `images.npy`, `sets.npy` and `files.txt` go.
        split: of the index.
        on_picture: hears of the count.

    Raises:
        FileNotFoundError: no photographs, or a model is missing.
    """
    files = _files(photos, split)
    if not files:
        raise FileNotFoundError(f"no photographs of the split {split!r} in {photos}")
    network, images, sets = Teachers(teachers), [], []
    for number, path in enumerate(files, 1):
        image = load_image(path).convert("RGB").resize((SIDE, SIDE))
        images.append(np.asarray(image))
        grey = np.asarray(image.convert("L"), np.float32) / np.float32(255)
        sets.append(sets_of(network.see(image), grey))
        if on_picture:
            on_picture(number)
    _save(out / IMAGES, np.stack(images))
    _save(out / SETS, np.stack(sets))
    with atomic(out / NAMES) as part:
        part.write_text("\n".join(p.relative_to(photos).as_posix() for p in files) + "\n")
    return len(files)


def _files(photos: Path, split: str) -> list[Path]:
    index = photos / "index.csv"
    if index.is_file():
        with index.open(newline="", encoding="utf-8") as file:
            return [photos / row["file"] for row in csv.DictReader(file) if row["split"] == split]
    return sorted(p for p in photos.rglob("*") if p.suffix.lower() in PICTURES)


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as part, part.open("wb") as file:
        np.save(file, array)


def main() -> None:
    """Parse the command line and label."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    renders = kinds.add_parser("renders", help="shards of recipes.render, from their factors")
    renders.add_argument("--data", type=Path, required=True)
    photos = kinds.add_parser("photos", help="aligned photographs, by MediaPipe's networks")
    photos.add_argument("--photos", type=Path, required=True)
    photos.add_argument("--teachers", type=Path, required=True)
    photos.add_argument("--out", type=Path, required=True)
    photos.add_argument("--split", default="train")
    options = parser.parse_args()
    if options.kind == "renders":
        label_renders(options.data)
    else:
        label_photos(options.photos, options.teachers, options.out, options.split)


if __name__ == "__main__":
    main()
