"""Puts an evaluation together: parts, suites, results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from apps.evaluation import report
from apps.evaluation.samples import PACK, load_pack, sound_files
from apps.evaluation.setting import Advance, Plan, Setting, Suite
from apps.evaluation.suites import inversion, photos, sound, speed, text
from apps.evaluation.suites.calibrate import calibrate
from multimodal.editing.assemble import model_folder
from multimodal.files.bundled import HOME
from multimodal.recognition.judge import FILE_NAME, Judge, load_judge

SUITES: dict[str, Callable[[Setting], Suite]] = {
    "inversion": inversion.run,
    "text": text.run,
    "sound": sound.run,
    "speed": speed.run,
    "photos": photos.run,
}
ALL, NONE, PHOTOS = "all", "none", "photos"
"""All but the suite of photographs, which must be given."""


def chosen_suites(name: str) -> list[str]:
    """The suites that a name stands for.

    Raises:
        ValueError: no such suite.
    """
    known = {name: [name] for name in SUITES} | {ALL: [n for n in SUITES if n != PHOTOS], NONE: []}
    if name not in known:
        raise ValueError(f"suite {name!r} is not one of {', '.join(known)}")
    return known[name]


def find_judge(given: Path | None, model: str, device: str = "cpu") -> Judge:
    """The judge: the given file, the pack's, the model's, or the bundled model's.

    Raises:
        FileNotFoundError: there is none.
    """
    folders = (PACK, model_folder(model) or Path(model), HOME / "default")
    places = [folder / FILE_NAME for folder in folders]
    for path in [given] if given is not None else places:
        if path.exists():
            return load_judge(path, device)
    where = given or PACK / FILE_NAME
    raise FileNotFoundError(f"no judge at {where}: train one with recipes.judge.train_judge")


def make_setting(
    model: str,
    load: Callable[[], Any],
    out: Path,
    plan: Plan,
    judge: Path | None = None,
    data: Path | None = None,
    sounds: Path | None = None,
    advance: Advance | None = None,
    photographs: Path | None = None,
) -> Setting:
    """The parts of an evaluation.

    Args:
        model: name or path of the model.
        load: makes an editor of it.
        out: folder of results.
        plan: how much is measured.
        judge: file of the judge, or None: the pack's.
        data: folder of the evaluation pack, or None: the bundled one.
        sounds: folder of more sounds, or None.
        advance: told of progress.
        photographs: folder of photographs for their suite, or None.

    Raises:
        FileNotFoundError: no judge, pack or sounds there.
    """
    seen, pack = find_judge(judge, model), load_pack(data or PACK)
    heard = sound_files(sounds)
    out.mkdir(parents=True, exist_ok=True)
    quiet: Advance = lambda done, total, note: None  # noqa: E731
    return Setting(load(), seen, pack, heard, out, plan, model, load, advance or quiet, photographs)


def evaluate(setting: Setting, names: Sequence[str]) -> dict[str, Any]:
    """Run the suites; results are written after each. Returns the results."""
    results: dict[str, Any] = {}
    for name in names:
        results = report.gather(setting, [SUITES[name](setting)])
        report.write(setting, results)
    return results


def headlines(results: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The first table of each suite, for the terminal."""
    out: dict[str, Any] = {}
    for name in names:
        tables = results["suites"][name]["tables"]
        first = next(iter(tables.values()), None)
        out[name] = [] if first is None else first["rows"]
    return out


def choose(setting: Setting, folder: Path) -> Path:
    """Calibrate, and write `methods.json` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return calibrate(setting).save(folder)
