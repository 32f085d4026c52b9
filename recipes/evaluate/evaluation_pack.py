"""Write the evaluation pack: what anybody needs to measure a model, without the renderer's assets.

    python -m recipes.evaluate.evaluation_pack --heldout renders/heldout --photos photos \
        --out multimodal/bundle/evaluation

The pack holds held-out renders with their factors and captions, a few photo-like portraits, the
names of the sample sounds with what they mean, and the licence of each part; the judge too, where
it does not come with the model.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from apps.evaluation.measures.goals import meaning_of
from apps.evaluation.samples import PORTRAITS, RENDERS, spread
from apps.samples import sounds
from multimodal.faces import NoFaceError, align_or_crop
from multimodal.files.weights import atomic
from multimodal.generators.native import config_path
from multimodal.recognition.judge import FILE_NAME, load_judge
from recipes.data import Faces

QUALITY = 92
SIDE = 256
MAX_BYTES = 1_500_000
"""Of the pictures and their tables together; the judge comes on top."""

LICENCES = f"""# Licences of the evaluation pack

Nothing here was trained on: it measures models (`semblance evaluate`).

- `{RENDERS}/`, `factors.jsonl`, `captions.jsonl`: heads drawn by `recipes.render` from MakeHuman's
  CC0 assets, split `heldout`; **CC0-1.0**. Nobody's faces. WebP, quality {QUALITY}.
- `{PORTRAITS}/`, `portraits.jsonl`: generated pictures of nobody (Stable Diffusion 3) from
  [faker-js/assets-person-portrait](https://github.com/faker-js/assets-person-portrait) (commit
  `63aef57`); **CC0-1.0**. Aligned as FFHQ is, {SIDE} px, WebP, quality {QUALITY}. `age` and `sex`
  are what the picture was asked for, not a measurement.
- `sounds.jsonl`: names of the sample sounds in `apps/samples/sounds` and what they mean; their
  licences stand in `apps/samples/LICENSES.md`.
- `{FILE_NAME}`, `judge.json`, where they are here: weights of the judge, trained by
  `recipes.judge.train_judge` on CC0 renders alone; **CC0-1.0**.
"""


def write_renders(heldout: Path, out: Path, count: int) -> int:
    """Renders spread over held-out shards, with factors and captions; returns how many."""
    faces = Faces(heldout)
    chosen = spread(range(len(faces)), count)
    for number, index in enumerate(chosen):
        pixels = (faces.batch(np.array([index]))[0].permute(1, 2, 0) + 1) * 127.5
        picture = Image.fromarray(pixels.round().byte().numpy())
        save_picture(picture, out / RENDERS / f"{number:03d}.webp")
    for name in ("factors", "captions"):
        column = faces.column(name)
        write_lines(out / f"{name}.jsonl", [column[index] for index in chosen])
    return len(chosen)


def write_portraits(photos: Path, out: Path, indices: Iterable[int]) -> int:
    """Portraits of both sexes of those source indices, aligned; returns how many had a face.

    Raises:
        FileNotFoundError: no table of the portraits.
    """
    wanted, rows = set(indices), []
    with (photos / "metadata.csv").open(encoding="utf-8", newline="") as file:
        known = [row for row in csv.DictReader(file) if int(row["source_index"]) in wanted]
    for row in known:
        name = Path(row["file"]).stem
        try:
            crop, _, _ = align_or_crop(Image.open(photos / row["file"]), SIDE, mode="detect")
        except NoFaceError:
            continue
        save_picture(crop, out / PORTRAITS / f"{name}.webp")
        rows.append({"name": name, "sex": row["sex"], "age": int(row["age"])})
    write_lines(out / "portraits.jsonl", rows)
    return len(rows)


def write_sounds(out: Path) -> int:
    """The names of the sample sounds and what they mean; returns how many mean something."""
    meanings = [(path.name, meaning_of(path.stem)) for path in sounds()]
    rows = [{"file": name, "meaning": wish.text} for name, wish in meanings if wish is not None]
    write_lines(out / "sounds.jsonl", rows)
    return len(rows)


def write_judge(judge: Path, out: Path) -> None:
    """Copy the judge and its JSON, once it loads."""
    load_judge(judge)
    for source, name in ((judge, FILE_NAME), (config_path(judge), config_path(Path(FILE_NAME)))):
        with atomic(out / name) as part:
            shutil.copyfile(source, part)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a WebP without a mark: none of our models made it."""
    with atomic(path) as part:
        picture.save(part, "WEBP", quality=QUALITY, method=6)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any] | list[Any]]) -> None:
    """Write rows as JSON lines."""
    with atomic(path) as part:
        part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def size_of(out: Path) -> int:
    """Bytes of the pack without the judge."""
    files = (p for p in out.rglob("*") if p.is_file() and not p.name.startswith("judge."))
    return sum(path.stat().st_size for path in files)


def main() -> None:
    """Parse the command line, write the parts, check the size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heldout", type=Path, required=True, help="held-out shards")
    parser.add_argument("--photos", type=Path, help="portraits with metadata.csv")
    parser.add_argument("--judge", type=Path, help="judge.safetensors to include")
    parser.add_argument("--out", type=Path, default=Path("multimodal/bundle/evaluation"))
    parser.add_argument("--faces", type=int, default=100)
    parser.add_argument("--indices", type=int, nargs=2, default=(74, 79), metavar=("FIRST", "LAST"),
                        help="portraits' source indices, kept out of every training")  # fmt: skip
    options = parser.parse_args()
    write_renders(options.heldout, options.out, options.faces)
    if options.photos:
        first, last = options.indices
        write_portraits(options.photos, options.out, range(first, last + 1))
    write_sounds(options.out)
    if options.judge:
        write_judge(options.judge, options.out)
    with atomic(options.out / "LICENSES.md") as part:
        part.write_text(LICENCES, encoding="utf-8")
    if size_of(options.out) > MAX_BYTES:
        raise ValueError(f"the pack has {size_of(options.out)} bytes, more than {MAX_BYTES}")


if __name__ == "__main__":
    main()
