"""The studio's tools, in a browser and without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from apps.samples import faces
from apps.studio.checks import Painted
from apps.studio.service import Studio
from apps.studio.tools import Tools, mask_of, painting_of
from multimodal import FaceEditor
from multimodal.heads import Pose
from tests.apps.studio.test_studio_browser import accessible, browser, meet, page, refused, tab

__all__ = ["browser", "page"]


@pytest.fixture
def tools(editor: FaceEditor) -> Tools:
    return Tools(Studio(editor))


@pytest.fixture
def painted(tmp_path: Path) -> Painted:
    """A photo with a red stroke over it."""
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[20:30, 10:50] = (200, 30, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "layer.png")
    noise = np.random.default_rng(0).normal(128, 60, (64, 64)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noise).convert("RGB").save(tmp_path / "under.png")
    return Painted(tmp_path / "under.png", (tmp_path / "layer.png",))


def test_what_is_painted_is_read(painted: Painted, tmp_path: Path) -> None:
    mask = mask_of(painted)
    assert mask is not None
    assert np.asarray(mask).sum() == 255 * 400
    Image.new("RGBA", (64, 64)).save(tmp_path / "empty.png")
    assert painting_of(Painted(None, (tmp_path / "empty.png",))) is None
    assert painting_of(None) is None
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="not a picture"):
        painting_of(Painted(None, (tmp_path / "bad.png",)))


def test_a_stroke_becomes_a_face_to_edit(tools: Tools, painted: Painted) -> None:
    session = tools.draw(painted, "scribble", None, 1, 2)
    assert session.face.photo is None
    assert session.after.face.size == session.face.aligned.size
    with pytest.raises(ValueError, match="Draw something"):
        tools.draw(Painted(painted.under, ()), "scribble", None, 1, 2)


def test_a_face_is_shown_at_every_stroke(tools: Tools, painted: Painted) -> None:
    first = tools.sketch(painted, "scribble", 1)
    assert first is not None
    assert first.size == (tools.studio.editor.generator.resolution,) * 2
    waiting = tools._quick
    assert tools.sketch(painted, "sketch", 1) is not None
    assert tools._quick is waiting
    tools.sketch(painted, "scribble", 2)
    assert tools._quick is not waiting
    assert tools.sketch(Painted(None, ()), "scribble", 1) is None


def test_a_painted_hole_is_filled(tools: Tools, painted: Painted) -> None:
    made = tools.mend(painted, "inpaint", 2)
    assert Image.open(made.picture).width > 0
    with pytest.raises(ValueError, match="Paint over"):
        tools.mend(Painted(painted.under, ()), "inpaint", 2)
    with pytest.raises(ValueError, match="Upload a photo"):
        tools.mend(None, "colour", 2)


def test_two_faces_are_joined(tools: Tools, painted: Painted) -> None:
    session = tools.studio.open(tools.studio.surprise(1))
    made = tools.join(session, str(painted.under), "cross", "eyes", 1.0)
    assert made.picture.is_file()
    with pytest.raises(ValueError, match="other photo"):
        tools.join(session, None, "cross", "eyes", 1.0)
    with pytest.raises(ValueError, match="needs a region"):
        tools.join(session, str(painted.under), "cross", None, 1.0)


def test_what_the_film_needs_is_said(tools: Tools) -> None:
    with pytest.raises(ValueError, match="Choose a film"):
        tools.film(None, "a smile", 1.0, lambda *_: None)
    with pytest.raises(ValueError, match="Say what"):
        tools.film("film.mp4", None, 1.0, lambda *_: None)


def test_a_head_is_turned_and_remembered(tools: Tools) -> None:
    face = tools.studio.invert(faces()[0], tools.studio.inversions()[0])
    session = tools.studio.open(face)
    made = tools.turn(session, Pose(yaw=10))
    assert made.mesh is not None
    assert made.mesh.read_bytes()[:4] == b"glTF"
    first = tools._solid
    tools.turn(session, Pose(blink=1))
    assert tools._solid is first
    with pytest.raises(ValueError, match="Move a slider"):
        tools.turn(session, Pose())


@pytest.mark.browser
def test_tools_in_the_page(page: Page) -> None:
    page.get_by_role("button", name="More tools").click()
    page.click("#apply-turn")
    refused(page, "Choose a face first")
    meet(page, faces()[0])
    slider = page.locator("#turn-yaw input[type=range]")
    slider.focus()
    for _ in range(8):
        slider.press("ArrowRight")
    page.click("#apply-turn")
    expect(page.locator("#turn-result img")).to_be_visible()
    expect(page.locator("#save-mesh")).to_be_enabled()
    accessible(page)
    tab(page, "Draw")
    canvas = page.locator("#draw-canvas canvas").first
    expect(canvas).to_be_visible()
    page.click("#apply-draw")
    refused(page, "Draw something on the canvas first")
    page.locator("#draw-canvas").get_by_role("button", name="Brush").click()
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 40, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=8)
    page.mouse.up()
    expect(page.locator("#draw-live img")).to_be_visible()
    page.click("#apply-draw")
    expect(page.locator("#result-status")).to_contain_text("Now say what to change")
    page.wait_for_timeout(3000)  # what follows a drawing would take the next hint away
    tab(page, "Mend")
    page.click("#apply-mend")
    refused(page, "Upload a photo to the canvas first")
    tab(page, "Film")
    page.click("#apply-film")
    refused(page, "Choose a film first")
