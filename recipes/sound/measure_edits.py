"""Edits by sounds on renders and photographs of people that nothing was trained on.

    python -m recipes.sound.measure_edits --assets ../shared/assets --out runs/sound_edits.jsonl

The eight bundled sounds, rain and a quiet room. A face whose figures are in the file is passed
over, so a run that was stopped goes on when it is given again; with other weights begin another
file. A sound that a face makes must bring its class, as the judge sees it, to faces that lack it;
the others must leave the face as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from apps.evaluation.measures.goals import Wish, meaning_of
from apps.evaluation.run import find_judge
from apps.evaluation.samples import Sample, load_pack, sound_files, spread
from audio.io import RATE
from multimodal import FaceEditor
from multimodal.images import load_image, to_tensor
from multimodal.recognition.judge import Judge
from recipes.generator.photographs.portraits import read_index
from recipes.sound.data import rows, split_of
from recipes.sound.heard_clips import may_be_learnt

Row = dict[str, Any]
RAIN, QUIET = "rain", "silence"
ROOM, QUIET_S = 3e-4, 3.0
"""Root mean square of the noise of a quiet room, and seconds of it."""


@dataclass(frozen=True)
class Noise:
    """A sound, and what it asks for; nothing of a face where it has no wish.

    Args:
        name: of the sound.
        sound: as the editor takes it.
        wish: judged by its goals, or None.
    """

    name: str
    sound: Any
    wish: Wish | None


def noises(assets: Path) -> list[Noise]:
    """The ten sounds.

    Raises:
        FileNotFoundError: no recording of rain among the assets.
    """
    bundled = [Noise(path.stem, path, meaning_of(path.stem)) for path in sound_files(None)]
    falling = [row for row in rows(assets / "sounds") if row.label == RAIN]
    held = [row for row in falling if split_of(row) != "train" or not may_be_learnt(row)]
    if not held:
        raise FileNotFoundError(f"no held-out rain in {assets / 'sounds' / 'labels.csv'}")
    room = np.random.default_rng(0).normal(0, ROOM, round(QUIET_S * RATE)).astype(np.float32)
    rain = Noise(RAIN, assets / "sounds" / held[0].file, None)
    return [*bundled, rain, Noise(QUIET, (RATE, room), None)]


def faces(assets: Path, count: int) -> list[Sample]:
    """As many held-out renders and held-out photographs, in turn."""
    held = [one.file for one in spread(read_index(assets / "portraits", "heldout"), count)]
    photos = [Sample(path.stem, "photo", load_image(path)) for path in held]
    pairs = zip(spread(load_pack().renders, count), photos, strict=True)
    return [one for pair in pairs for one in pair]


def measured(
    editor: FaceEditor, judge: Judge, sample: Sample, sounds: Sequence[Noise]
) -> Iterator[Row]:
    """A row for every sound that asks something new of a face, or nothing."""
    face = editor.invert(sample.image, "encoder", aligned=True, seed=0)
    reading = judge.read(to_tensor(editor.reconstruct(face)))
    for noise in sounds:
        wish = noise.wish if noise.wish is not None and noise.wish.goals else None
        if wish is not None and not wish.applies(judge.config, reading):
            continue
        result = editor.edit(face, sound=noise.sound, fidelity="drawing")
        levels = [np.asarray(picture, np.float32) for picture in (result.before, result.after)]
        after = judge.read(to_tensor(result.after))
        yield {
            "face": sample.name,
            "kind": sample.kind,
            "sound": noise.name,
            "success": None if wish is None else wish.fulfilled(judge.config, after),
            "identity": result.scores.get("identity"),
            "change": float(np.abs(levels[1] - levels[0]).mean()),
        }


def told(found: Sequence[Row]) -> Iterator[str]:
    """Means by kind of face, over all sounds that a face makes and by sound."""
    for kind in dict.fromkeys(row["kind"] for row in found):
        own = [row for row in found if row["kind"] == kind]
        made = [row for row in own if row["success"] is not None]
        for name in ("all", *dict.fromkeys(row["sound"] for row in own)):
            some = made if name == "all" else [row for row in own if row["sound"] == name]
            if not some:
                continue
            means = {
                key: np.mean([row[key] for row in some if row[key] is not None] or [np.nan])
                for key in ("success", "identity", "change")
            }
            figures = ", ".join(f"{key} {value:.2f}" for key, value in means.items())
            yield f"{kind}, {name}: {len(some)} edits, {figures}"


def main(
    assets: Annotated[Path, typer.Option(help="folder of sounds/ and portraits/")],
    out: Annotated[Path, typer.Option(help="file of the figures, one row a line")],
    model: Annotated[str, typer.Option(help="name or path of the model")] = "default",
    count: Annotated[int, typer.Option(min=1, help="renders, and as many photographs")] = 30,
) -> None:
    """Measure the faces that are not in the file yet, then say the means."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.is_file() else []
    found: list[Row] = [json.loads(line) for line in lines]
    done = {row["face"] for row in found}
    editor, judge, sounds = FaceEditor.from_pretrained(model), find_judge(None, model), None
    for sample in faces(assets, count):
        if sample.name in done:
            continue
        sounds = sounds or noises(assets)
        new = list(measured(editor, judge, sample, sounds))
        found += new
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(row) + "\n" for row in new))
    for line in told(found):
        typer.echo(line)


if __name__ == "__main__":
    typer.run(main)
