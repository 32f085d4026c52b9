"""A tiny editor, and the studio served over it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from multimodal import FaceEditor
from multimodal.types import Face, OnStep, Progress
from tests.tiny_editor import tiny_editor

SOUNDS = Path(__file__).parents[2] / "apps" / "samples" / "sounds"
FACES = Path(__file__).parents[2] / "apps" / "samples" / "faces"


@pytest.fixture(scope="session")
def editor(tmp_path_factory: pytest.TempPathFactory) -> FaceEditor:
    """A tiny model; where pictures of the studio are wanted, the shipped one."""
    if os.environ.get("SEMBLANCE_SCREENSHOTS"):
        return FaceEditor.from_pretrained("default")
    return tiny_editor(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture of something."""
    image = Image.new("RGB", (96, 96), "#7ba")
    ImageDraw.Draw(image).ellipse((20, 20, 76, 84), fill="#d9a")
    path = tmp_path / "photo.png"
    image.save(path)
    return path


@pytest.fixture(scope="session")
def laugh() -> Path:
    return SOUNDS / "1_laugh.ogg"


@pytest.fixture(scope="session")
def studio_url(editor: FaceEditor) -> Iterator[str]:
    """The studio, served on a free port of this machine."""
    from apps.studio.server import ServerConfig, launch
    from apps.web import build_demo

    demo = build_demo(editor)
    try:
        yield launch(demo, ServerConfig(port=free_port()), block=False).rstrip("/")
    finally:
        demo.close(verbose=False)


@dataclass(frozen=True)
class Endless:
    """An inversion of many small steps."""

    begun: threading.Event = field(default_factory=threading.Event)
    given_up: threading.Event = field(default_factory=threading.Event)

    def invert(self, image: object, method: str, on_step: OnStep, which: int | None) -> Face:
        self.begun.set()
        try:
            for step in range(1200):
                on_step(Progress(step, 1200))
                time.sleep(0.05)
        except ValueError:
            self.given_up.set()
            raise
        raise AssertionError("ran to its end")


@pytest.fixture
def endless(editor: FaceEditor, monkeypatch: pytest.MonkeyPatch) -> Endless:
    """The editor's inversion takes a minute while this is in use."""
    slow = Endless()
    monkeypatch.setattr(editor, "invert", slow.invert)
    return slow


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
