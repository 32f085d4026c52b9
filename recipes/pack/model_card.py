"""Write the card of a model folder: what it was made of, what it can do, and what it cannot.

    python -m recipes.pack.model_card --model multimodal/bundle/default \
        --figures runs/evaluate/evaluate.json runs/clip.json runs/sound.json \
        out/evaluation/results.json

Writes `MODEL_CARD.md` and `pictures/` into the folder and renews its manifest. Figures are given as
files of `recipes.evaluate.evaluate`, `recipes.evaluate.evaluate_clip`,
`recipes.evaluate.evaluate_sound` and `semblance
evaluate`, any of them or none; the judge's come with the model. The facts are `about.json`'s.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image

from apps.evaluation.report import table
from multimodal.editing.assemble import SOUND
from multimodal.files.bundled import (
    CARD,
    MANIFEST,
    PICTURES,
    Bundle,
    BundleFile,
    find_bundle,
    renew_manifest,
)
from multimodal.files.variants import VARIANT, is_variant
from multimodal.files.weights import atomic
from multimodal.generators.native import config_path
from multimodal.images import load_image, save_image
from multimodal.recognition.judge import FILE_NAME as JUDGE
from recipes.pack.about import DATA, About, read_about
from recipes.pack.bundle_parts import FREE, GENERATOR
from recipes.pack.card_figures import Section, read_sections
from recipes.pack.pack import ABOUT

LONGEST, QUALITY = 1200, 70
"""Longest side in pixels, and JPEG quality, of the card's pictures."""


def write_card(root: Path, figures: Sequence[Path] = ()) -> Bundle:
    """Write a model folder's card and pictures, and renew its manifest; returns what it says.

    Args:
        root: the model folder, with its manifest and `about.json`.
        figures: files of `recipes.pack.card_figures.KINDS`.

    Raises:
        FileNotFoundError: no model there, no facts, or a file of figures or a picture is gone.
        ValueError: facts or figures that cannot be read.
        multimodal.files.weights.WeightsError: a part of the model is not the one its manifest
            describes.
    """
    bundle = find_bundle(root.resolve())
    bundle.verify()
    about = read_about(bundle.root / ABOUT)
    sections = read_sections(_with_judge(bundle.root, figures))
    pictures = {
        name: (what, _small(load_image(file)))
        for section in sections
        for what, file, name in section.pictures
    }
    folder, card = bundle.root / PICTURES, bundle.root / CARD
    for name, (what, image) in pictures.items():
        folder.mkdir(exist_ok=True)
        save_image(image, folder / name, what, QUALITY)
    known = card.read_text(encoding="utf-8") if card.is_file() else ""
    with atomic(card) as part:
        part.write_text(card_text(bundle, about, sections), encoding="utf-8")
    for name in set(re.findall(rf"\]\({PICTURES}/([^)/]+)\)", known)) - set(pictures):
        (folder / name).unlink(missing_ok=True)  # of an earlier card
    return renew_manifest(bundle.root)


def card_text(bundle: Bundle, about: About, sections: Sequence[Section]) -> str:
    """The card as Markdown."""
    missed = [sentence for section in sections for sentence in section.missed]
    parts = [
        f"# Model card: `{bundle.root.name}`",
        *_summary(bundle),
        *about.notes,
        *_files(bundle),
        *([] if is_variant(bundle.root) else _data(bundle)),
        *_training(about),
        *(section.text for section in sections),
        *([] if sections else ["## Figures", "Nothing has been measured."]),
        *_failures(about, missed),
    ]
    return "\n\n".join(parts) + "\n"


def _with_judge(root: Path, figures: Sequence[Path]) -> list[Path]:
    """The judge's own figures beside the given ones, where no report of edits repeats them."""
    mine = config_path(root / JUDGE)
    measured = mine.is_file() and _json(mine).get("figures")
    repeated = any("suites" in _json(path) for path in figures if path.is_file())
    return [*figures, mine] if measured and not repeated else list(figures)


def _summary(bundle: Bundle) -> list[str]:
    size = sum(file.size for file in _parts(bundle).values())
    if is_variant(bundle.root):
        return _variant(bundle, size)
    shape = _json(config_path(bundle.root / GENERATOR))
    side = shape.get("config", {}).get("resolution")
    drawn = f"draws faces of {side} pixels" if side else "draws faces"
    return [
        f"A complete model of Semblance: a StyleGAN2 that {drawn}, and what inverts, reads, hears "
        f"and edits them, as far as the table of files goes: {size / 1e6:.1f} MB.",
        "It draws nobody's faces unless a photo is given. It is meant for trying the program, for "
        "tests and for research on editing; what it reads off a face (age, sex, expression) is a "
        "network's guess and no ground for judging anyone. Pictures that it wrote carry a mark "
        "that says so.",
    ]


def _variant(bundle: Bundle, size: int) -> list[str]:
    base = _json(bundle.root / VARIANT).get("base")
    return [
        f"A variant of the model `{base}`: that model's generator and encoder, fine-tuned, stored "
        f"as what differs ({size / 1e6:.1f} MB). The other parts are that model's, and [its card]"
        f"(../{base}/{CARD}) says what they are made of and what the model is for.",
        f"`--model {bundle.root.name}` uses it. Pictures that it wrote carry a mark that says so.",
    ]


def _parts(bundle: Bundle) -> dict[str, BundleFile]:
    """All files but the card and its pictures."""
    files = bundle.files.items()
    return {n: f for n, f in files if n != CARD and not n.startswith(f"{PICTURES}/")}


def _files(bundle: Bundle) -> list[str]:
    weights = _parts(bundle)
    rows = [
        {"file": f"`{name}`", "MB": f"{file.size / 1e6:.2f}", "licence": file.licence}
        for name, file in weights.items()
    ]
    free = sorted(n for n, f in weights.items() if f.licence == FREE and n.endswith("safetensors"))
    bound = sorted(n for n, f in weights.items() if f.licence != FREE and n.endswith("safetensors"))
    said = [f"Weights made from CC0 data alone: {', '.join(f'`{n}`' for n in free) or 'none'}."]
    if bound:
        said.append(f"Under other terms too: {', '.join(f'`{n}`' for n in bound)}.")
    return ["## Files and licences", *said, table(rows)]


def _data(bundle: Bundle) -> list[str]:
    parts = ["## Data", table(DATA)]
    sound = bundle.root / SOUND / "ears.json"
    sound = sound if sound.is_file() else bundle.root / SOUND / "sound_encoder.json"
    seen: Mapping[str, int] = _json(sound).get("notes", {}).get("trained_on", {})
    if seen:
        rows = [{"sounds under": name, "clips": count} for name, count in sorted(seen.items())]
        parts += ["The sound encoder heard, besides:", table(rows)]
    return parts


def _training(about: About) -> list[str]:
    rows = [
        {"stage": s.stage, "seen": s.images or None, "minutes": f"{s.minutes:g}", "note": s.note}
        for s in about.stages
    ]
    total = sum(stage.minutes for stage in about.stages)
    parts = ["## Training", f"Hardware: {about.hardware}. Stages took {total:g} minutes in all."]
    parts += [table(rows)] if rows else []
    for _, group in groupby(about.curve, key=_columns):
        parts += ["What more of it buys:", table(list(group))]
    return parts


def _columns(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row)


def _failures(about: About, missed: Sequence[str]) -> list[str]:
    parts = ["## Known failures"]
    parts += ["\n".join(f"- {sentence}" for sentence in about.failures)] if about.failures else []
    if missed:
        parts += ["Bars that were not met:", "\n".join(f"- {sentence}" for sentence in missed)]
    return parts if len(parts) > 1 else [*parts, "None were written down."]


def _small(image: Image.Image) -> Image.Image:
    """At most `LONGEST` pixels on a side."""
    small = image.convert("RGB")
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return small


def _json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def main() -> None:
    """Parse the command line, write the card."""
    parser = argparse.ArgumentParser(
        "python -m recipes.pack.model_card", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--model", type=Path, required=True, help=f"a folder with {MANIFEST}")
    parser.add_argument("--figures", type=Path, nargs="+", default=[], help="files of figures")
    options = parser.parse_args()
    try:
        bundle = write_card(options.model, options.figures)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{error}")
    size = sum(file.size for file in bundle.files.values())
    print(f"{bundle.root / CARD}: {len(bundle.files)} files of {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
