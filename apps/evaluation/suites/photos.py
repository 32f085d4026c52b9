"""Edits of photographs: are they done, is it still the person, is it still a photograph?"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from apps.evaluation.measures.baselines import BASELINES, baseline
from apps.evaluation.measures.photographs import AIMS, Aim, Seen, seen
from apps.evaluation.pictures import Grid, kept
from apps.evaluation.samples import spread
from apps.evaluation.setting import Row, Setting, Suite, Table, means
from multimodal.editing.finishing import DRAWING, FIDELITIES
from multimodal.images import load_image

if TYPE_CHECKING:
    from multimodal.types import EditResult, Face

FIGURES = ("success", "distance", "sharpness", "beside", "seconds")
ABOUT = (
    "`success`: the share of photographs that became what was asked for, by judges that were "
    "trained on photographs; those that were so before are left out. `distance`: dlib's "
    "descriptor, 0.6 and more are strangers. `sharpness`: fine contrast of the face beside the "
    "photograph's. `beside`: mean change in levels outside the middle of the crop. `seconds`: the "
    "whole edit, inversion apart. `pasted` adds the drawings' difference to the photograph, `flow` "
    "moves it by the optical flow between them first: what would be had without any of this."
)
SHOWN = 8
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def run(setting: Setting) -> Suite:
    """The suite: success, identity and sharpness of photo and drawing by prompt; a sheet.

    Raises:
        ValueError: no folder of photographs was given, or none in it has a face.
    """
    rows: list[Row] = []
    sheet = Grid()
    files = spread(photographs(setting.photos), setting.plan.faces)
    for index, path in enumerate(files):
        setting.advance(index, len(files), "edits of photographs")
        for aim, row, result in _edits(setting, path):
            rows.append(row)
            if row["gives"] == FIDELITIES[0] and (path.stem in sheet or len(sheet) < SHOWN):
                sheet.add(path.stem, "", result.before.resize((256, 256)))
                sheet.add(path.stem, aim.name, result.after.resize((256, 256)))
    if not rows:
        raise ValueError(f"no face was found in the photographs of {setting.photos}")
    size = f"{len(files)} photographs. {ABOUT}"
    shown = sheet.save(setting.out / "photos.png", "edits of photographs")
    tables = [
        Table("by result", size, means(rows, ("gives",), FIGURES)),
        Table("by prompt", "The same by prompt.", means(rows, ("prompt", "gives"), FIGURES)),
        Table("every edit", "", rows, detail=True),
    ]
    return Suite("photos", tables, kept([("Photographs by prompts.", shown)]))


def photographs(folder: Path | None) -> list[Path]:
    """The photographs of a folder, those of its `index.csv` that are held out where it has one.

    Raises:
        ValueError: no folder, or none in it.
    """
    if folder is None:
        raise ValueError("the suite of photographs needs --photos, a folder of them")
    index = folder / "index.csv"
    if index.is_file():
        with open(index, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get("split") == "heldout"]
        found = [folder / row["file"] for row in rows]
    else:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"there are no photographs in {folder}")
    return found


def _edits(setting: Setting, path: Path) -> Iterator[tuple[Aim, Row, EditResult]]:
    """Every edit of a photograph, as a photo and as a drawing."""
    before = load_image(path)
    looked = seen(before)
    if looked is None:
        return
    method = setting.plan.inversion
    face = setting.editor.invert(before, method, aligned=True, seed=setting.plan.seed)
    for aim in AIMS:
        found = {name: _timed(setting, face, aim, name) for name in FIDELITIES}
        drawing = found[DRAWING][0]
        for name in BASELINES:
            plain = baseline(name, before, drawing.before, drawing.after)
            found[name] = (replace(drawing, before=before, after=plain), found[DRAWING][1])
        for name, (result, seconds) in found.items():
            now = seen(result.after)
            about = {"photo": path.name, "prompt": aim.name, "gives": name}
            yield aim, about | _figures(aim, looked, now, result) | {"seconds": seconds}, result


def _timed(setting: Setting, face: Face, aim: Aim, fidelity: str) -> tuple[EditResult, float]:
    began = time.perf_counter()
    result = setting.editor.edit(face, text=aim.text, fidelity=fidelity, seed=setting.plan.seed)
    return result, time.perf_counter() - began


def _figures(aim: Aim, before: Seen, after: Seen | None, result: EditResult) -> Row:
    if after is None:
        return {"success": 0.0, "distance": None, "sharpness": None, "beside": None}
    done = aim.reached(before, after)
    return {
        "success": None if done is None else float(done),
        "distance": float(np.linalg.norm(before.descriptor - after.descriptor)),
        "sharpness": after.sharpness / max(before.sharpness, 1e-6),
        "beside": _beside(result),
    }


def _beside(result: EditResult) -> float | None:
    """Mean change in levels near the crop's border, where no edit of a face has a reason to act."""
    if result.before.size != result.after.size:
        return None
    pair = [
        np.asarray(picture.resize((64, 64), Image.Resampling.BOX), np.float32)
        for picture in (result.before, result.after)
    ]
    change = np.abs(pair[1] - pair[0]).mean(axis=-1)
    border = np.ones((64, 64), bool)
    border[8:, 8:-8] = False
    return float(change[border].mean())
