"""The studio as people use it: a real Chromium, real pictures and sounds, and axe.

`SEMBLANCE_SCREENSHOTS=docs/images` saves a picture of every tab too, with the shipped model.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from apps.samples import faces, sounds
from tests.apps.conftest import Endless

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
PATIENCE = 25_000
TABS = ("Text", "Sound", "Mix", "Animate", "Explore", "Batch")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.fail("Chromium is missing: `make test` installs it (apt-get install chromium)")
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, studio_url: str) -> Iterator[Page]:
    """A fresh visit; fails afterwards if the console showed an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    visit = context.new_page()
    visit.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    errors: list[str] = []
    visit.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    visit.on("pageerror", lambda error: errors.append(str(error)))
    visit.goto(studio_url)
    visit.wait_for_selector("#apply-text")
    yield visit
    context.close()
    assert errors == []


def meet(page: Page, photo: Path) -> None:
    """Upload a photo and wait for its reconstruction."""
    page.set_input_files("#photo input[type=file]", str(photo))
    expect(page.locator("#result-status")).to_contain_text("Now say what to change")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def pictures(page: Page) -> list[str]:
    return page.locator("#result-slider img").evaluate_all("all => all.map(one => one.src)")


def load_edits(page: Page, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.click("#import")
    chooser.value.set_files(str(path))


def shoot(page: Page, name: str) -> None:
    folder = os.environ.get("SEMBLANCE_SCREENSHOTS")
    if folder:
        page.wait_for_function("!document.querySelector('.pending, .generating')")
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(folder) / f"app-{name.lower()}.jpg", quality=80)


def accessible(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # Colours that fade in (a button that has just been enabled, a text that has just been
    # replaced) are judged when they have arrived.
    page.wait_for_function(
        "document.getAnimations().every(one => one.playState !== 'running') &&"
        " !document.querySelector('#result-status .pending, #result-status.pending')"
    )
    found = Axe().run(page).response["violations"]
    told = [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found]
    assert told == [], json.dumps(told, indent=1)


def refused(page: Page, words: str) -> None:
    """A message tells what to do; take it away again."""
    toast = page.locator(".toast-body", has_text=words)
    expect(toast.first).to_be_visible()
    page.locator(".toast-close").first.click()


def test_words_change_a_face_and_can_be_taken_back(page: Page, tmp_path: Path) -> None:
    page.click("#apply-text")
    refused(page, "Choose a face first")
    meet(page, faces()[0])
    page.click("#apply-text")
    refused(page, "Say what the face should look like")
    page.fill("#prompt textarea, #prompt input", "an old woman")
    page.click("#apply-text")
    expect(page.locator("#result-status")).to_contain_text("An old woman")
    edited = pictures(page)
    assert len(set(edited)) == 2
    slider = page.locator("#text-strength input[type=range]")
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    expect(page.locator("#undo")).to_be_enabled()
    shoot(page, "Text")
    accessible(page)
    with page.expect_download() as download:
        page.click("#save-face")
    saved = tmp_path / "face.png"
    download.value.save_as(saved)
    assert b"compositeWithTrainedAlgorithmicMedia" in saved.read_bytes()
    page.click("#undo")
    expect(page.locator("#redo")).to_be_enabled()
    page.click("#redo")
    expect(page.locator("#result-status")).to_contain_text("An old woman")


def test_an_edit_list_travels_to_another_face(page: Page, tmp_path: Path) -> None:
    meet(page, faces()[1])
    page.fill("#prompt textarea, #prompt input", "a child")
    page.click("#apply-text")
    expect(page.locator("#result-status")).to_contain_text("A child")
    page.get_by_role("button", name="Edits so far").click()
    with page.expect_download() as download:
        page.click("#export")
    saved = tmp_path / "edits.json"
    download.value.save_as(saved)
    assert json.loads(saved.read_text())["edits"][0]["text"] == "a child"
    page.click("#surprise")
    expect(page.locator("#face-status")).to_contain_text("nobody has")
    load_edits(page, saved)
    expect(page.locator("#result-status")).to_contain_text("A child")
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    load_edits(page, broken)
    refused(page, "edit list")


def test_a_sound_changes_a_face(page: Page, tmp_path: Path) -> None:
    meet(page, faces()[0])
    tab(page, "Sound")
    page.click("#apply-sound")
    refused(page, "Record or choose a sound")
    silent = tmp_path / "silent.wav"
    write_silence(silent)
    page.set_input_files("#sound input[type=file]", str(silent))
    page.wait_for_timeout(800)
    page.click("#apply-sound")
    refused(page, "silent")
    page.reload()
    page.wait_for_selector("#apply-text")
    meet(page, faces()[0])
    tab(page, "Sound")
    page.set_input_files("#sound input[type=file]", str(sounds()[0]))
    page.wait_for_timeout(800)
    page.click("#apply-sound")
    expect(page.locator("#result-status")).to_contain_text("♪")
    expect(page.locator("#heard")).to_contain_text("%")
    shoot(page, "Sound")
    accessible(page)


def test_words_and_a_sound_mix(page: Page) -> None:
    page.click("#samples button >> nth=2")
    expect(page.locator("#result-status")).to_contain_text("Now say what to change")
    tab(page, "Mix")
    page.fill("#mix-prompt textarea, #mix-prompt input", "an old man")
    page.click("#apply-mix")
    refused(page, "needs words and a sound")
    page.get_by_role("tabpanel").get_by_role("button", name="Laugh").locator("visible=true").click()
    page.wait_for_timeout(800)
    page.click("#apply-mix")
    expect(page.locator("#result-status")).to_contain_text("An old man + ♪")
    shoot(page, "Mix")
    accessible(page)


def test_a_sound_moves_a_face(page: Page) -> None:
    tab(page, "Animate")
    page.click("#apply-animate")
    refused(page, "Choose a face first")
    meet(page, faces()[0])
    page.set_input_files("#animate-sound input[type=file]", str(sounds()[0]))
    page.wait_for_timeout(800)
    page.locator("#animate-seconds input[type=number]").fill("1")
    page.locator("#animate-seconds input[type=number]").press("Tab")
    page.click("#apply-animate")
    expect(page.locator("#clip video")).to_have_count(1)
    expect(page.locator("#save-clip")).to_be_enabled()
    shoot(page, "Animate")
    accessible(page)


def test_directions_are_explored(page: Page) -> None:
    tab(page, "Explore")
    slider = page.locator("#direction-0 input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    refused(page, "Choose a face first")
    meet(page, faces()[0])
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    expect(page.locator("#result-status")).to_contain_text("Age")
    page.get_by_role("button", name="A single channel").click()
    page.get_by_label("Style, 0 to").fill("3")
    page.get_by_label("Style, 0 to").press("Tab")
    single = page.locator("#channel-strength input[type=range]")
    single.focus()
    for _ in range(5):
        single.press("ArrowRight")
    expect(page.locator("#result-status")).to_contain_text("channel 0 of style 3", ignore_case=True)
    shoot(page, "Explore")
    accessible(page)


def test_another_inversion_keeps_the_edits_and_another_face_starts_anew(page: Page) -> None:
    tab(page, "Explore")
    meet(page, faces()[0])
    page.get_by_label("a drawing").check()  # the photo would stay the same, whatever the code
    number = page.locator("#direction-0 input[type=number]")
    slider = page.locator("#direction-0 input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    expect(page.locator("#result-status")).to_contain_text("Age")
    before = pictures(page)
    page.get_by_role("button", name="What the model sees").click()
    page.click("#inversion input")
    page.get_by_role("option", name="hybrid").click()
    expect(page.locator("#result-slider img").nth(1)).not_to_have_attribute("src", before[1])
    expect(page.locator("#result-status")).to_contain_text("Age")
    expect(number).to_have_value("0.1")
    page.click("#surprise")
    expect(page.locator("#result-status")).to_contain_text("Now say what to change")
    expect(number).to_have_value("0")


def test_stop_ends_what_runs(page: Page, endless: Endless) -> None:
    page.set_input_files("#photo input[type=file]", str(faces()[0]))
    assert endless.begun.wait(20)
    page.click("#stop")
    expect(page.locator(".toast-body", has_text="Stopped.").first).to_be_visible()
    assert endless.given_up.wait(10)


def test_several_photos_at_once(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("<html>not a picture</html>")
    tab(page, "Batch")
    page.click("#apply-batch")
    refused(page, "Choose some photos")
    photos = [str(faces()[0]), str(faces()[1]), str(broken)]
    page.set_input_files("#batch-photos input[type=file]", photos)
    page.wait_for_timeout(800)
    page.fill("#batch-prompt textarea, #batch-prompt input", "a smile")
    page.click("#apply-batch")
    expect(page.locator("#batch-table")).to_contain_text("web page")
    expect(page.locator("#batch-table")).to_contain_text("done")
    shoot(page, "Batch")
    accessible(page)
    with page.expect_download() as download:
        page.click("#save-zip")
    import zipfile

    assert len(zipfile.ZipFile(download.value.path()).namelist()) == 2


def test_scripts_stay_words(page: Page) -> None:
    meet(page, faces()[0])
    page.fill("#prompt textarea, #prompt input", "<img src=x onerror=window.hit=1> old")
    page.click("#apply-text")
    expect(page.locator("#result-status")).to_contain_text("<img src=x")
    assert page.evaluate("window.hit === undefined")


def test_a_phone(browser: Browser, studio_url: str) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(studio_url)
    page.wait_for_selector("#apply-text")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    meet(page, faces()[0])
    page.fill("#prompt textarea, #prompt input", "an old woman")
    page.tap("#apply-text")
    expect(page.locator("#result-status")).to_contain_text("An old woman")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    accessible(page)
    shoot(page, "phone")
    context.close()


def test_the_keyboard_reaches_everything(page: Page) -> None:
    reached: set[str] = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached |= set(
            page.evaluate(
                """() => { const ids = []; let e = document.activeElement;
                   while (e) { if (e.id) ids.push(e.id); e = e.parentElement; } return ids; }"""
            )
        )
    assert {"photo", "samples", "surprise", "prompt", "text-strength", "apply-text"} <= reached
    assert {"fine", "stop"} <= reached


def write_silence(path: Path) -> None:
    import numpy as np
    import soundfile

    soundfile.write(path, np.zeros(16_000, dtype=np.float32), 16_000)
