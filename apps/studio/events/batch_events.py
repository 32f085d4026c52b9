"""The Animate and Batch tabs: longer work, with files at the end."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from apps.batch.batch import stage as stage_photo
from apps.batch.manifest import Item
from apps.clips.motion import Motion
from apps.edits import EditSpec
from apps.studio.checks import clean_prompt
from apps.studio.events.progress import check_wanted, reporter
from apps.studio.events.stage import BAR, Stage, required, warn_of
from apps.studio.layout.tabs import AnimateTab, BatchTab
from apps.studio.session import Session, new_folder
from audio.io import MAX_SECONDS
from multimodal.files.weights import atomic

BATCH_LIMIT = 24


class LongEvents:
    """Wires the Animate and Batch tabs."""

    def __init__(self, stage: Stage, animate: AnimateTab, batch: BatchTab) -> None:
        self.stage = stage
        moving = [
            stage.state,
            animate.sound,
            animate.text,
            animate.strength,
            animate.seconds,
            animate.fps,
            animate.kind,
            animate.whole,
        ]
        stage.on(
            animate.apply.click, self.make_clip, moving, [animate.clip, animate.file], files=False
        )
        many = [stage.state, batch.photos, batch.text, batch.sound, batch.strength, batch.every]
        stage.on(batch.apply.click, self.edit_all, many, [batch.table, batch.archive], files=False)

    def make_clip(
        self,
        session: Session | None,
        sound: str | None,
        text: str,
        strength: float,
        seconds: float,
        fps: float,
        kind: str,
        whole: bool,
        progress: gr.Progress = BAR,
    ) -> tuple[Any, ...]:
        """A clip of the face moved by a sound."""
        here = required(session)
        if sound is None:
            raise ValueError("Record or choose a sound first.")
        warn_of(sound, MAX_SECONDS)
        motion = Motion(
            Path(sound),
            clean_prompt(text),
            strength=float(strength),
            fps=float(fps),
            seconds=float(seconds),
            whole=whole,
        )
        on_step = reporter(progress, "Drawing frames")
        path = self.stage.studio.animate(here, motion, kind, on_step)
        return str(path) if kind == "mp4" else None, gr.update(value=str(path), interactive=True)

    def edit_all(
        self,
        session: Session | None,
        photos: list[str] | None,
        text: str,
        sound: str | None,
        strength: float,
        every: bool,
        progress: gr.Progress = BAR,
    ) -> tuple[Any, ...]:
        """One edit for several photos, failures listed, pictures zipped."""
        if not photos:
            raise ValueError("Choose some photos first.")
        if len(photos) > BATCH_LIMIT:
            raise ValueError(f"{len(photos)} photos; the page takes {BATCH_LIMIT} at a time.")
        words = clean_prompt(text)
        spec = None
        if words or sound:
            sounds = (Path(sound),) if sound else ()
            spec = EditSpec(text=words, sounds=sounds, strength=float(strength))
            if sound:
                warn_of(sound)
        elif session is None or not session.steps:
            raise ValueError("Say what to change, or make some edits on one face first.")
        elif every:
            raise ValueError("To edit every face, say what to change in words or by a sound.")
        on_step = reporter(progress, "Editing")

        def process(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
            return self.stage.studio.edit_photo(item.path, spec, session, on_step, every)

        rows, archive = [], None
        folder = new_folder()
        staged: dict[str, Path] = {}
        for index, photo in enumerate(photos):
            check_wanted()
            progress((index, len(photos)), desc=f"Photo {index + 1} of {len(photos)}")
            name = f"{index + 1:02}-{Path(photo).stem[:60]}.png"
            row, path = stage_photo(process, Item(name, Path(photo)), folder)
            rows.append([Path(photo).name, row.error or "done", f"{row.seconds:.1f}"])
            if path is not None:
                staged[name] = path
        archive = _zip(staged, folder / "semblance-batch.zip")
        return rows, gr.update(value=archive and str(archive), interactive=archive is not None)


def _zip(pictures: Mapping[str, Path], target: Path) -> Path | None:
    """The pictures in one archive, the staged copies removed; None without any."""
    if not pictures:
        return None
    with atomic(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, path in pictures.items():
            archive.write(path, name)
    for path in pictures.values():
        path.unlink()
    return target
