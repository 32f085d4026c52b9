"""The folder in which the pages' blocks run, and the tiny model that stands in for others."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from apps.clips.video import write_clip
from apps.samples import faces, sounds
from multimodal import FaceEditor
from multimodal.types import EditResult, Face
from tests.docs.snippets import ROOT
from tests.tiny_editor import tiny_editor

SRT = "1\n00:00:00,000 --> 00:00:00,800\na smiling face\n"
OPTIMISERS = ("optimize", "sound-optimize")


class QuickEditor(FaceEditor):
    """An editor that takes few steps where the caller does not say how many."""

    def invert(self, image: Any, method: str = "hybrid", *more: Any, **options: Any) -> Face:
        if method in ("pti", "pivotal"):
            options.setdefault("pivot_steps", 3)
        if method != "encoder":
            options.setdefault("steps", 3)
        return super().invert(image, method, *more, **options)

    def edit(
        self, face: Face, text: Any = None, sound: Any = None, method: str = "auto", **options: Any
    ) -> EditResult:
        if method in OPTIMISERS:
            options.setdefault("steps", 3)
        return super().edit(face, text, sound, method, **options)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> FaceEditor:
    """A tiny model with every part that a page uses: seeded random weights, so no faces."""
    from multimodal.faces import FaceAligner

    folder = tmp_path_factory.mktemp("model")
    editor = tiny_editor(folder)
    _more_parts(editor, folder)
    parts = {f.name: getattr(editor, f.name) for f in fields(editor)} | {"aligner": FaceAligner()}
    return QuickEditor(**parts)


def _more_parts(editor: FaceEditor, folder: Path) -> None:
    from guidance.controls.control import ATTRIBUTES_NAME, Attributes
    from guidance.methods.directions import FILE_NAME, StatisticsConfig, compute_statistics
    from guidance.methods.text_encoder import FILE_NAME as TEXT
    from guidance.methods.text_encoder import TextEncoder, TextEncoderConfig, save_text_encoder

    tools = editor.toolkit
    rows, size = tools.generator.num_layers, tools.generator.style_dim
    known = {n: o.w[0] for n, o in editor.directions.items() if o.w is not None}
    Attributes(known).save(folder / ATTRIBUTES_NAME)
    quick = StatisticsConfig(samples=64, images=1)
    compute_statistics(tools.generator, tools.clip, folder / FILE_NAME, config=quick)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = TextEncoder(TextEncoderConfig(tools.clip.dim, rows, size, hidden=16))
    save_text_encoder(network, folder / TEXT, {})


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The working folder of a page's blocks, with the files that the pages speak of."""
    from audio.io import load_sound, save_sound
    from guidance.controls.edits import Edit, EditList
    from multimodal.generators import convert

    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "apps").symlink_to(ROOT / "apps")
    (tmp_path / "photos").mkdir()
    for name, sample in (("me", 0), ("reference", 1), ("photos/a", 2), ("photos/b", 3)):
        with Image.open(faces()[sample]) as image:
            image.save(tmp_path / f"{name}.jpg")
    for name, sample in (("laugh", 0), ("sob", 4)):
        save_sound(tmp_path / f"{name}.wav", load_sound(sounds()[sample], 2.0))
    _more_files(tmp_path)
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path"], ["me.jpg"]])
    (tmp_path / "prompts.srt").write_text(SRT)
    EditList((Edit("a smile"),)).save(tmp_path / "edits.json")
    convert("tiny", tmp_path / "mine.safetensors")
    convert("tiny", tmp_path / "stylegan2-ffhq-config-f.pt")
    return tmp_path


def _more_files(folder: Path) -> None:
    """A second person, two films, a wish said aloud, and three methods' pictures."""
    for name, sample in (("friend", 4), ("tight", 5)):
        shutil.copy(faces()[sample], folder / f"{name}.jpg")
    shutil.copy(ROOT / "tests" / "audio" / "speech" / "no_glasses.ogg", folder / "wish.wav")
    with Image.open(faces()[0]) as image:
        frames = [image.convert("RGB").resize((480, 480))] * 4
    for name in ("me", "party"):
        write_clip(frames, folder / f"{name}.mp4", 4.0)
    for method in ("ours", "theirs", "third", "reference"):
        (folder / "faces" / method).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(folder / "faces" / method / "anna.png")
    for number in range(3):  # painted over what `sample` draws
        painted = Image.new("L", (32, 32))
        painted.paste(1, (8, 8, 24, 24))
        painted.paste(2, (4, 12, 7, 16))
        painted.save(folder / "faces" / f"sample-5-{number:04}.labels.png")


@pytest.fixture(scope="session")
def studio(tiny: FaceEditor) -> Iterator[str]:
    """The studio over the tiny model, on a free port."""
    from apps.studio.server import ServerConfig, launch
    from apps.web import build_demo

    demo = build_demo(tiny)
    try:
        yield launch(demo, ServerConfig(), block=False).rstrip("/")
    finally:
        demo.close(verbose=False)
