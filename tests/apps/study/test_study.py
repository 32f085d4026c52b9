"""Opinions: a page from a folder, a table from people's answers."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from apps.cli import run
from apps.study.answers import figures, mean_interval, read_answers, share_interval
from apps.study.page import write_page
from apps.study.plan import Study, plan_study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
METHODS = ("ours", "theirs", "third")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, method in enumerate((*METHODS, "reference")):
        (tmp_path / "set" / method).mkdir(parents=True)
        for name in ("anna.png", "ben.png"):
            Image.new("RGB", (600, 40), (60 * index, 90, 120)).save(
                tmp_path / "set" / method / name
            )
    return tmp_path / "set"


def told(study: Study, path: Path, person: str, answers: dict[int, int]) -> Path:
    path.write_text(json.dumps({"study": study.key, "person": person, "answers": answers}))
    return path


@pytest.mark.parametrize(
    ("kind", "count", "shown"), [("mos", 6, 1), ("dmos", 6, 2), ("choice", 2, 4)]
)
def test_what_is_asked(folder: Path, kind: str, count: int, shown: int) -> None:
    study = plan_study(folder, kind)
    assert len(study.questions) == count
    assert {len(q.paths(folder)) for q in study.questions} == {shown}
    study.save(folder)
    assert Study.load(folder) == study
    assert Study.load(folder).key == study.key


def test_four_methods_take_turns(folder: Path) -> None:
    (folder / "fourth").mkdir()
    for name in ("anna.png", "ben.png"):
        Image.new("RGB", (8, 8)).save(folder / "fourth" / name)
    first, second = (q.methods for q in plan_study(folder, "choice").questions)
    assert first != second


def test_a_page_is_whole_and_names_no_method(folder: Path, tmp_path: Path) -> None:
    study = plan_study(folder, "choice")
    page = write_page(study, folder, tmp_path / "a.html", "Which <one> is it?").read_text()
    assert "Which &lt;one&gt; is it?" in page
    assert page.count("data:image/jpeg;base64,") == 8
    assert not re.search(r"""(src|href)\s*=\s*["']https?:""", page)
    assert not any(word in page for word in (*METHODS, "anna", "ben.png"))
    with pytest.raises(ValueError, match=r"\.html"):
        write_page(study, folder, tmp_path / "a.pdf")


def test_scores_become_means_with_intervals(folder: Path, tmp_path: Path) -> None:
    study = plan_study(folder, "mos")
    places = {(q.methods[0], q.name): i for i, q in enumerate(study.questions)}
    scores = {"ours": (5, 4, 5), "theirs": (3, 3, 3), "third": (1, 2, 4)}
    for person in range(3):
        own = {i: scores[method][person] for (method, _), i in places.items()}
        told(study, tmp_path / f"{person}.json", str(person), own)
    rows = figures(study, read_answers(study, [tmp_path]))
    assert [row.method for row in rows] == ["ours", "theirs", "third"]
    best = rows[0]
    assert (best.figure, best.answers, best.people) == ("mos", 6, 3)
    assert best.value == pytest.approx(14 / 3)
    assert best.high - best.value == pytest.approx(4.3027 * 0.57735 / 3**0.5, abs=1e-3)
    assert (rows[1].low, rows[1].high) == (3, 3)


def test_choices_become_shares(folder: Path, tmp_path: Path) -> None:
    study = plan_study(folder, "choice")
    place = study.questions[0].methods.index("theirs")
    for person in range(5):
        told(study, tmp_path / f"{person}.json", str(person), {0: place, 1: place})
    rows = figures(study, read_answers(study, [tmp_path]))
    assert (rows[0].method, rows[0].value) == ("theirs", 1.0)
    assert rows[0].low == pytest.approx(0.7225, abs=1e-3)  # Wilson, 10 of 10
    assert rows[1].value == 0


def test_intervals_of_little() -> None:
    low, high = mean_interval([[3, 4]])
    assert low != low
    assert high != high
    assert share_interval(0, 1) == pytest.approx((0.0, 0.7935), abs=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"study": "other"}, "no answers to this study"),
        ({"answers": {"99": 1}}, "was not asked"),
        ({"answers": {"-1": 1}}, "was not asked"),
        ({"answers": {"0": 6}}, "no answer to question 0"),
        ({"answers": {"0": True}}, "no answer to question 0"),
        ({"answers": [1]}, "no answers"),
        ({"answers": {}}, "there are no answers"),
    ],
)
def test_answers_that_were_not_offered(
    folder: Path, tmp_path: Path, values: dict[str, object], message: str
) -> None:
    study = plan_study(folder, "mos")
    given = {"study": study.key, "person": "a", "answers": {"0": 1}} | values
    (tmp_path / "a.json").write_text(json.dumps(given))
    with pytest.raises(ValueError, match=message):
        read_answers(study, [tmp_path / "a.json"])


def test_nobody_answers_twice(folder: Path, tmp_path: Path) -> None:
    study = plan_study(folder, "mos")
    files = [told(study, tmp_path / f"{i}.json", "same", {0: 1}) for i in range(2)]
    with pytest.raises(ValueError, match="second time"):
        read_answers(study, files)


def test_folders_that_make_no_study(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not one of mos, dmos, choice"):
        plan_study(folder, "best")
    with pytest.raises(FileNotFoundError):
        plan_study(tmp_path / "none", "mos")
    for method in (*METHODS, "reference"):
        (folder / method / "anna.png").unlink()
    (folder / "third" / "ben.png").unlink()
    with pytest.raises(ValueError, match="three methods made"):
        plan_study(folder, "choice")
    (folder / "reference" / "ben.png").unlink()
    with pytest.raises(ValueError, match="to compare with"):
        plan_study(folder, "dmos")
    with pytest.raises(FileNotFoundError):
        Study.load(folder)
    (folder / "study.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a study"):
        Study.load(folder)


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["study", str(folder), "--kind", "mos", "--json"]) == 0
    told_of = json.loads(capsys.readouterr().out)
    assert Path(told_of["page"]).is_file()
    study = Study.load(folder)
    answers = told(study, tmp_path / "answers.json", "me", {0: 4, 1: 2})
    table = tmp_path / "table.csv"
    words = ["study", str(folder), "--answers", str(answers), "--out", str(table), "--json"]
    assert run(words) == 0
    rows = list(csv.DictReader(table.open()))
    assert [row["value"] for row in rows] == ["4.0", "2.0"]
    assert rows[0]["low"] == ""


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is missing")
def test_a_person_answers_in_a_browser(folder: Path, tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api")
    study = plan_study(folder, "choice")
    page_file = write_page(study, folder, tmp_path / "a.html")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        page.locator("button.pick").first.click()
        page.locator("#back").click()
        page.keyboard.press("2")
        page.keyboard.press("1")
        with page.expect_download() as download:
            page.locator("#save").click()
        download.value.save_as(tmp_path / "told.json")
        browser.close()
    found = read_answers(study, [tmp_path / "told.json"])
    assert [sorted(own) for own in found.values()] == [[0, 1]]
