"""How long things take: loading, inverting, embedding, editing, a change of strength, animating."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.clips.motion import Motion, animate
from apps.evaluation.measures import edits
from apps.evaluation.measures.goals import PROMPTS
from apps.evaluation.pictures import bars, kept
from apps.evaluation.setting import Row, Setting, Suite, Table
from multimodal.editing.finishing import DRAWING

if TYPE_CHECKING:
    from multimodal import FaceEditor
    from multimodal.types import Face

RATE, SECONDS = 16_000, 5
CLIP_SECONDS, FPS = 2.0, 25.0

EDITS = (
    "Seconds of one text edit of an inverted face, scores included: `first` in a fresh editor, "
    "`again` (median), and `strength`: one change of strength."
)
PARTS = f"Median seconds; sounds last {SECONDS} s; `animate` is in frames a second, file written."
LOADING = (
    "A fresh process: seconds of the imports and of `from_pretrained`, and the largest memory the "
    "process had."
)
_LOAD = """
import json, sys, time
began = time.perf_counter()
from multimodal import FaceEditor
import multimodal.editing.assemble
imported = time.perf_counter()
FaceEditor.from_pretrained(sys.argv[1], device=sys.argv[2])
done = time.perf_counter()
try:  # Linux: its getrusage counts what the parent held when it forked
    with open("/proc/self/status") as status:
        peak = next(int(x.split()[1]) * 1024 for x in status if x.startswith("VmHWM"))
except (OSError, StopIteration):
    try:
        import resource
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    except ImportError:
        peak = None
print(json.dumps({"import_s": imported - began, "load_s": done - imported, "peak_bytes": peak}))
"""


def run(setting: Setting) -> Suite:
    """The suite: edits, other parts, loading."""
    face = setting.face(setting.renders()[0])
    rows = [_edit(setting, face, name) for name in edits.methods(setting)]
    tables = [
        Table("edits", EDITS, rows),
        Table("parts", PARTS, _parts(setting, face)),
        Table("loading", LOADING, loading(setting)),
    ]
    plot = bars(setting.out / "speed.png", rows, "method", ("first", "again", "strength"))
    return Suite("speed", [t for t in tables if t.rows], kept([("Seconds an edit.", plot)]))


def timed(action: Callable[[], Any], repeats: int) -> float:
    """Median seconds of an action."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _edit(setting: Setting, face: Face, method: str) -> Row:
    setting.advance(0, 1, f"timing {method}")
    editor = setting.editor if setting.load is None else setting.load()
    text, repeats = PROMPTS[0].text, 1 if edits.is_slow(method) else setting.plan.repeats
    made: list[Any] = []
    first = timed(
        lambda: made.append(editor.edit(face, text=text, method=method, fidelity=DRAWING)), 1
    )
    return {
        "method": method,
        "first": first,
        "again": timed(
            lambda: editor.edit(face, text=text, method=method, fidelity=DRAWING), repeats
        ),
        "strength": timed(
            lambda: editor.apply(face, made[0].offset, 0.7, fidelity=DRAWING), setting.plan.repeats
        ),
    }


def _parts(setting: Setting, face: Face) -> list[Row]:
    editor, repeats = setting.editor, setting.plan.repeats
    sample = setting.renders()[0].image
    actions: dict[str, Callable[[], Any]] = {"draw": lambda: editor.draw(face)}
    if editor.encoder is not None:
        actions["invert by encoder"] = lambda: editor.invert(sample, "encoder", aligned=True)
    actions["embed a text"] = lambda: editor.embed(text=PROMPTS[0].text)
    if editor.toolkit.sound is not None:
        wave = np.random.default_rng(0).normal(size=RATE * SECONDS).astype(np.float32) * 0.1
        actions["embed a sound"] = lambda: editor.embed(sound=(RATE, wave))
    rows: list[Row] = []
    for what, action in actions.items():
        setting.advance(len(rows), len(actions), f"timing {what}")
        action()
        rows.append({"what": what, "seconds": timed(action, repeats)})
    return [*rows, *_animate(setting, editor, face)]


def _animate(setting: Setting, editor: FaceEditor, face: Face) -> list[Row]:
    """Frames a second of a whole clip, from the sound to the written file."""
    if editor.toolkit.sound is None:
        return []
    motion = Motion(setting.sounds[0], fps=FPS, seconds=CLIP_SECONDS)
    frames: list[int] = []
    began = time.perf_counter()
    out = setting.out / "animation.mp4"
    animate(editor, replace(face, photo=None), motion, out, lambda done, total: frames.append(done))
    seconds = time.perf_counter() - began
    return [{"what": "animate", "seconds": seconds, "frames_per_second": max(frames) / seconds}]


def loading(setting: Setting) -> list[Row]:
    """What loading costs in a process of its own; no row where the model has no name."""
    if not setting.model:
        return []
    words = [sys.executable, "-c", _LOAD, setting.model, str(setting.editor.device)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"loading {setting.model!r} in a process failed: {done.stderr[-500:]}")
    values = json.loads(done.stdout.splitlines()[-1])
    peak = values.pop("peak_bytes")
    return [values | {"peak_gb": None if peak is None else peak / 1e9}]
