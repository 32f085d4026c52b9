"""The figures of a model card: what the recipes and `semblance evaluate` measured, as text.

Each kind of file is known by what it holds. A figure with a bar says whether it was met.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.evaluation.report import FORMAT, about_judge, markdown, table
from multimodal.files.bundled import PICTURES
from recipes.evaluate.encoder_figures import WAYS

Figures = Mapping[str, Any]
Row = dict[str, Any]

CLIP_BARS = {"r@1": 0.60}
CLIP_BARS |= dict.fromkeys(("sex", "beard", "glasses", "bald"), 0.95)
CLIP_BARS |= dict.fromkeys(("age", "hair_color", "smile", "angry", "surprised"), 0.90)
"""Accuracies on held-out renders and held-out wordings, at least."""

SOUND_BARS = {"events": "events", "emotion_ravdess": "emotion", "sex": "sex"}
"""Questions that have a bar, and its name among the bars of `recipes.evaluate.evaluate_sound`."""


@dataclass(frozen=True)
class Section:
    """What one file of figures adds to a card.

    Args:
        text: Markdown, from its own `##` heading on.
        pictures: (what it shows, file, name in the card's folder of pictures).
        missed: bars that were not met, one sentence each.
    """

    text: str
    pictures: tuple[tuple[str, Path, str], ...] = ()
    missed: tuple[str, ...] = ()


def barred(figure: str, measured: float, bar: float | None = None, most: bool = False) -> Row:
    """A row of a table of figures.

    Args:
        figure: its name.
        measured: its value.
        bar: what was asked for, or None.
        most: the bar is an upper one.
    """
    met = None if bar is None else bool(measured <= bar if most else measured >= bar)
    sign = "<=" if most else ">="
    return {
        "figure": figure,
        "measured": float(measured),
        "bar": None if bar is None else f"{sign} {bar:.3g}",
        "met": met,
    }


def missed(rows: Sequence[Row], what: str) -> tuple[str, ...]:
    """The rows whose bar was not met, as sentences."""
    return tuple(
        f"{what}, {row['figure']}: {row['measured']:.3g}, the bar is {row['bar']}."
        for row in rows
        if row.get("met") is False
    )


def of_evaluate(figures: Figures, source: Path) -> Section:
    """Of `recipes.evaluate.evaluate`."""
    parts = ["## Generator and inversion"]
    parts.append(f"`recipes.evaluate.evaluate`, on held-out faces, seed {figures['seed']}.")
    short: tuple[str, ...] = ()
    distances, near = figures.get("distances", {}), figures.get("neighbours", {})
    if "frechet" in distances:
        rows = _distance_rows(distances)
        short += missed(rows, "Distance of samples")
        parts += [_ABOUT_DISTANCES.format(**distances), table(rows)]
    if "training" in near:
        parts += [_ABOUT_NEIGHBOURS.format(**near), table(_plain_rows(near, skip=("training",)))]
    for way in WAYS:
        found = figures.get(way.name, {})
        if "faces" in found:
            rows = _inversion_rows(found)
            short += missed(rows, f"Inversion ({way.about})")
            parts += [f"Inversion, {way.about}, {found['faces']:.0f} faces:", table(rows)]
    stages = [value for value in figures.values() if isinstance(value, Mapping)]
    shown = [tuple(picture) for stage in stages for picture in stage.get("pictures", ())]
    pictures = _pictures(shown, source, "")
    parts += [_picture(about, name) for about, _, name in pictures]
    return Section("\n\n".join(parts), pictures, short)


_ABOUT_DISTANCES = (
    "{samples} samples at psi 1 against {heldout} held-out renders, in features of "
    "EfficientNet-Lite0. `frechet_share` is the Frechet distance as a share of that between women "
    "and men:"
)
_ABOUT_NEIGHBOURS = (
    "Nearest of {training:.0f} training renders, cosines of the features from their mean; held-out "
    "renders, which nobody can have memorised, are the yardstick:"
)


def _distance_rows(found: Figures) -> list[Row]:
    named = ("frechet", "kernel", "frechet_women_men", "frechet_training_heldout")
    rows = [barred(name, found[name]) for name in named if name in found]
    if "frechet_share" in found:
        rows.append(barred("frechet_share", found["frechet_share"], found["bar_share"], True))
    return rows


def _inversion_rows(found: Figures) -> list[Row]:
    bars = found.get("bars", {})
    names = [n for n in ("lpips", "identity", "psnr", "seconds") if n in found]
    return [barred(n, found[n], bars.get(n), most=n != "identity") for n in names]


def _plain_rows(found: Figures, skip: tuple[str, ...] = ()) -> list[Row]:
    """Every number, under its own name."""
    known = {n: v for n, v in found.items() if isinstance(v, float | int) and n not in skip}
    return [
        {"figure": n.replace("_", " "), "measured": float(v)}
        for n, v in known.items()
        if n != "minutes"
    ]


def of_clip(figures: Figures, _: Path) -> Section:
    """Of `recipes.evaluate.evaluate_clip`."""
    names = list(dict.fromkeys(n.removesuffix("_heldout") for n in figures if _is_new(n)))
    rows = []
    for name in names:
        row = barred(name, figures[f"{name}_heldout"], CLIP_BARS.get(name))
        row["known wordings"] = figures.get(f"{name}_train")
        row["all pictures alike"] = figures.get(f"{name}_heldout_plain")
        rows.append(row)
    rows += [barred(n, figures[n], CLIP_BARS.get(n)) for n in ("r@1", "r@1_true") if n in figures]
    about = (
        f"`recipes.evaluate.evaluate_clip`, on {figures['pictures']:.0f} held-out renders: "
        "the share "
        "classified right by wordings never trained on, mean over the classes; beside it by known "
        "wordings, and over all pictures alike. `r@1`: a caption finds its picture among 100."
    )
    text = "\n\n".join(["## CLIP", about, table(rows)])
    return Section(text, missed=missed(rows, "CLIP"))


def _is_new(name: str) -> bool:
    return name.endswith("_heldout")


def of_sound(figures: Figures, _: Path) -> Section:
    """Of `recipes.evaluate.evaluate_sound`."""
    bars, rows, classes = figures.get("bars", {}), [], []
    for question, found in figures.items():
        if not isinstance(found, Mapping) or not found.get("clips"):
            continue
        heard = found["encoder"]
        row = barred(question, heard["top1"], bars.get(SOUND_BARS.get(question, "")))
        row |= {"mean recall": heard["mean_recall"], "clips": found["clips"]}
        row["plain sentence"] = found["encoder_plain"]["top1"]
        row["teacher"] = found.get("teacher", {}).get("top1")
        rows.append(row)
        for name, (recall, clips) in heard["recall_and_clips"].items():
            classes.append({"question": question, "class": name, "recall": recall, "clips": clips})
    kept = [
        {"change": name} | {**cosines} for name, cosines in figures.get("invariance", {}).items()
    ]
    changes = [barred(k["change"], k["median"], bars.get("invariance")) for k in kept]
    seconds = figures.get("latency", {}).get("median_s")
    speed = [] if seconds is None else [barred("seconds", seconds, bars.get("seconds"), True)]
    parts = ["## Sounds", _ABOUT_SOUNDS, table(rows), "By class:", table(classes)]
    parts += ["Cosine with the clean clip's vector after a change of the clip:", table(kept)]
    parts += ["Time from five seconds of samples to the vector:", table(speed)] if speed else []
    short = missed(rows, "Sounds") + missed(changes, "Sounds, invariance") + missed(speed, "Sounds")
    return Section("\n\n".join(parts), missed=short)


_ABOUT_SOUNDS = (
    "`recipes.evaluate.evaluate_sound`, on held-out speakers and recordings: "
    "forced choice by text, share "
    "right (`measured`), by the mean of several wordings; beside it by one plain sentence, and the "
    "teacher's."
)


def of_judge(figures: Figures, _: Path) -> Section:
    """Of the judge's own JSON."""
    return Section("\n\n".join(about_judge(figures["figures"])))


def of_editing(figures: Figures, source: Path) -> Section:
    """Of `semblance evaluate`: its report, the pictures in the card's folder."""
    suites = figures["suites"].values()
    shown = [tuple(picture) for suite in suites for picture in suite["pictures"]]
    pictures = _pictures(shown, source, "edits-")
    text = markdown(figures).partition("\n")[2].strip()
    for (_, file), (_, _, name) in zip(shown, pictures, strict=True):
        text = text.replace(f"]({file})", f"]({PICTURES}/{name})")
    text = re.sub(r"^## (?!The judge)(\w+)$", r"## Editing: \1", text, flags=re.MULTILINE)
    return Section("## Editing\n\n" + text, pictures)


def _pictures(
    shown: Sequence[tuple[str, ...]], source: Path, prefix: str
) -> tuple[tuple[str, Path, str], ...]:
    """Pictures named by a file of figures beside it, with their names in a card."""
    return tuple(
        (about, source.parent / file, f"{prefix}{Path(file).stem}.jpg") for about, file in shown
    )


def _picture(about: str, name: str) -> str:
    return f"{about}:\n\n![{about}]({PICTURES}/{name})"


@dataclass(frozen=True)
class Kind:
    """A kind of file of figures.

    Args:
        about: who writes it.
        fits: is this one?
        write: its section of the card.
    """

    about: str
    fits: Callable[[Figures], bool]
    write: Callable[[Figures, Path], Section]


KINDS = (
    Kind("recipes.evaluate.evaluate", lambda f: {"sizes", "seed", "model"} <= set(f), of_evaluate),
    Kind(
        "recipes.evaluate.evaluate_clip",
        lambda f: any(map(_is_new, f)) and "pictures" in f,
        of_clip,
    ),
    Kind("recipes.evaluate.evaluate_sound", lambda f: {"events", "invariance"} <= set(f), of_sound),
    Kind("the judge's JSON", lambda f: {"judge", "figures"} <= set(f), of_judge),
    Kind("semblance evaluate", lambda f: f.get("format") == FORMAT, of_editing),
)
"""In the order of a card."""


def read_sections(paths: Sequence[Path]) -> tuple[Section, ...]:
    """A section for each file, in the order of `KINDS`.

    Raises:
        FileNotFoundError: no such file, or a picture that it names is gone.
        ValueError: figures of no known kind.
    """
    found = []
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"no figures at {path}")
        figures = _read(path)
        index = next((i for i, kind in enumerate(KINDS) if kind.fits(figures)), None)
        if index is None:
            known = ", ".join(kind.about for kind in KINDS)
            raise ValueError(f"{path} holds figures of no known kind; known are those of {known}")
        section = KINDS[index].write(figures, path)
        gone = [str(file) for _, file, _ in section.pictures if not file.is_file()]
        if gone:
            raise FileNotFoundError(f"{path} names pictures that are gone: {', '.join(gone)}")
        found.append((index, section))
    return tuple(section for _, section in sorted(found, key=lambda pair: pair[0]))


def _read(path: Path) -> Figures:
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return figures if isinstance(figures, Mapping) else {}
