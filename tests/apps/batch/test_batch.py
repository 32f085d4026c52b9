from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pandas
import pytest
from PIL import Image

from apps.batch.batch import BatchConfig, Process, loading_engine, local_engine, run_batch
from apps.batch.journal import JOURNAL, Journal
from apps.batch.manifest import Item, read_items
from multimodal import FaceEditor


def invert_colours(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
    with Image.open(item.path) as image:
        picture = image.convert("RGB")
    return picture.point(lambda v: 255 - v), {"clip": picture.getpixel((0, 0))[0] / 255}


def photos(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        Image.new("RGB", (16, 16), (k, 10, 20)).save(folder / f"photo{k:03}.png")
    return folder


def test_every_photo_is_edited_and_errors_are_rows(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 3)
    (source / "broken.jpg").write_text("<html>not a photo</html>")
    (source / "sub").mkdir()
    (source / "sub" / "photo000.jpg").write_bytes((source / "photo000.png").read_bytes())
    (source / ".hidden.png").write_bytes(b"")
    seen: list[tuple[int, int]] = []
    config = BatchConfig(source, tmp_path / "out", table="results.parquet")
    summary = run_batch(
        config, local_engine(invert_colours), lambda done, total, _: seen.append((done, total))
    )
    assert (summary.photos, summary.done, summary.failed, summary.skipped) == (5, 4, 1, 0)
    assert seen == [(k, 5) for k in range(1, 6)]
    table = pandas.read_parquet(summary.table).set_index("name")
    assert "cannot identify" in table.loc["broken.jpg", "error"]
    assert table.loc["photo002.png", "clip"] == pytest.approx(2 / 255)
    with Image.open(tmp_path / "out" / table.loc["photo001.png", "output"]) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (254, 245, 235)
        assert "AI-edited" in image.info["Description"]
    assert (tmp_path / "out" / "pictures" / "sub" / "photo000.jpg").is_file()


def test_a_second_run_does_nothing_and_another_edit_is_refused(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 3)
    config = BatchConfig(source, tmp_path / "out", plan={"text": "old"})
    run_batch(config, local_engine(invert_colours))

    def never(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
        raise AssertionError(item)

    assert run_batch(config, local_engine(never)).skipped == 3
    with pytest.raises(ValueError, match="another edit"):
        run_batch(
            BatchConfig(source, tmp_path / "out", plan={"text": "young"}), local_engine(never)
        )


def test_another_photo_of_the_same_name_is_edited(tmp_path: Path) -> None:
    first, second = photos(tmp_path / "a", 2), photos(tmp_path / "b", 2)
    Image.new("RGB", (16, 16), (200, 10, 20)).save(second / "photo000.png")
    out = tmp_path / "out"
    run_batch(BatchConfig(first, out), local_engine(invert_colours))
    summary = run_batch(BatchConfig(second, out), local_engine(invert_colours))
    assert (summary.done, summary.skipped) == (2, 1)
    with Image.open(out / "pictures" / "photo000.png") as image:
        assert image.convert("RGB").getpixel((0, 0)) == (55, 245, 235)
    table = pandas.read_csv(summary.table).set_index("name")
    assert table.loc["photo000.png", "path"].startswith(str(second))


def test_own_hidden_files_are_left_alone(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "in", 1), tmp_path / "out"
    out.mkdir()
    (out / ".notes.csv").write_text("mine")
    run_batch(BatchConfig(source, out), local_engine(invert_colours))
    assert (out / ".notes.csv").read_text() == "mine"


def test_failures_are_retried_only_when_asked(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 2)
    config = BatchConfig(source, tmp_path / "out")

    def tired(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
        if item.name == "photo001.png":
            raise ValueError("not today")
        return invert_colours(item)

    assert run_batch(config, local_engine(tired)).failed == 1
    assert run_batch(config, local_engine(invert_colours)).failed == 1
    again = BatchConfig(source, tmp_path / "out", retry_failed=True)
    assert run_batch(again, local_engine(tired)).failed == 1
    assert run_batch(again, local_engine(invert_colours)).failed == 0


def test_a_photo_that_was_mended_is_tried_again(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 1)
    (source / "late.png").write_text("not yet")
    config = BatchConfig(source, tmp_path / "out")
    assert run_batch(config, local_engine(invert_colours)).failed == 1
    Image.new("RGB", (8, 8)).save(source / "late.png")
    assert run_batch(config, local_engine(invert_colours)).failed == 0


def test_lost_picture_and_torn_journal_line_are_done_again(tmp_path: Path) -> None:
    source, out = photos(tmp_path / "in", 4), tmp_path / "out"
    config = BatchConfig(source, out)
    run_batch(config, local_engine(invert_colours))
    (out / "pictures" / "photo001.png").unlink()
    journal = out / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-9])
    (out / ".staging" / "half.png").write_bytes(b"half")
    summary = run_batch(config, local_engine(invert_colours))
    assert (summary.done, summary.skipped) == (4, 2)
    assert not list((out / ".staging").iterdir())
    assert all("row" in json.loads(line) for line in journal.read_text().splitlines()[1:])


def test_one_batch_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path, {}), pytest.raises(ValueError, match="another batch"):
        Journal(tmp_path, {})


def test_outputs_inside_the_source_are_not_edited_again(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 2)
    config = BatchConfig(source, source / "out")
    for _ in range(2):
        assert run_batch(config, local_engine(invert_colours)).photos == 2


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_manifest_rows_have_unique_names_inside_the_output(tmp_path: Path, suffix: str) -> None:
    source = photos(tmp_path / "in", 2)
    outside = tmp_path / "away.tiff"
    Image.new("RGB", (8, 8)).save(outside)
    paths = ["photo000.png", "photo000.png", "../away.tiff", str(outside)]
    table = pandas.DataFrame({"path": paths, "text": ["old", "young", None, "a smile"]})
    manifest = source / f"list{suffix}"
    table.to_csv(manifest) if suffix == ".csv" else table.to_parquet(manifest)
    items = read_items(manifest)
    assert [item.overrides.get("text") for item in items] == ["old", "young", None, "a smile"]
    assert items[1].name == "photo000-2.png"
    assert all(".." not in item.name and not Path(item.name).is_absolute() for item in items)
    assert len({item.name for item in items}) == 4
    summary = run_batch(BatchConfig(manifest, tmp_path / "out"), local_engine(invert_colours))
    assert (summary.done, summary.failed) == (4, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nothing", "no such folder"),
        (lambda p: p, "no photos"),
        (lambda p: p / "list.txt", "not a folder"),
        (lambda p: p / "list.csv", "no column 'path'"),
        (lambda p: p / "list.parquet", "cannot read the manifest"),
    ],
)
def test_bad_sources(tmp_path: Path, make: object, message: str) -> None:
    for name in ("list.txt", "list.csv", "list.parquet"):
        (tmp_path / name).write_text("photo\na.png\n")
    assert callable(make)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run_batch(BatchConfig(make(tmp_path), tmp_path / "out"), local_engine(invert_colours))


def test_bad_table_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="table"):
        BatchConfig(tmp_path, tmp_path, table="../results.csv")


SLOW_BATCH = """
import sys, time
from pathlib import Path
from PIL import Image
from apps.batch.batch import BatchConfig, local_engine, run_batch

def process(item):
    time.sleep(0.01)
    with open(sys.argv[3], "a") as log:
        log.write(item.name + chr(10))
    with Image.open(item.path) as image:
        return image.convert("RGB").resize((256, 256)), {"one": 1.0}

run_batch(BatchConfig(Path(sys.argv[1]), Path(sys.argv[2])), local_engine(process))
"""


def test_sigkill_three_times_then_all_done_once(tmp_path: Path) -> None:
    source, out, log = photos(tmp_path / "in", 60), tmp_path / "out", tmp_path / "log"
    script = tmp_path / "slow.py"
    script.write_text(SLOW_BATCH)
    command = [sys.executable, str(script), str(source), str(out), str(log)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    chance = random.Random(0)
    for _ in range(3):
        before = log.read_text().count("\n") if log.exists() else 0
        process = subprocess.Popen(command, env=environment)
        while not log.exists() or log.read_text().count("\n") < before + 5:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for picture in out.glob("pictures/*"):
            Image.open(picture).load()
    subprocess.run(command, env=environment, check=True)
    table = pandas.read_csv(out / "results.csv")
    assert len(table) == table["name"].nunique() == 60
    assert table["error"].isna().all()
    assert len(list(out.glob("pictures/*"))) == 60
    rows = [json.loads(line) for line in (out / JOURNAL).read_text().splitlines()[1:]]
    assert len({row["row"]["name"] for row in rows}) == 60
    worked = log.read_text().split()
    assert len(worked) <= 63  # only the photo in hand at each kill is begun again


def test_a_model_that_does_not_load_ends_the_command_without_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from apps.cli import run

    source, out = photos(tmp_path / "in", 2), tmp_path / "out"
    words = ["batch", str(source), "--text", "old", "--inversion", "encoder", "--out", str(out)]
    for wrong in (["--model", "nothing"], ["--model", "tiny", "--device", "gpu7"]):
        assert run([*words, *wrong]) == 2
        assert wrong[-1] in capsys.readouterr().err
        assert '"row"' not in (out / JOURNAL).read_text()
    # The folder is not bound to the model that did not load.
    plan = {"model": "right"}
    assert run_batch(BatchConfig(source, out, plan), local_engine(invert_colours)).done == 2


def test_a_manifest_may_give_all_the_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], editor: FaceEditor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import apps.batch.photo_edit
    from apps.cli import run

    monkeypatch.setattr(apps.batch.photo_edit, "load_editor", lambda *_: editor)
    manifest = photos(tmp_path / "in", 2) / "list.csv"
    words = ["batch", str(manifest), "--inversion", "encoder", "--out", str(tmp_path / "out")]
    manifest.write_text("path\nphoto000.png\n")
    assert run(words) == 2
    assert "say what to change" in capsys.readouterr().err
    manifest.write_text("path,text,neutral\nphoto000.png,old,a child\nphoto001.png,,a child\n")
    assert run(words) == 1
    table = pandas.read_csv(tmp_path / "out" / "results.csv").set_index("name")
    assert table["output"].notna().tolist() == [True, False]
    assert "say what to change" in table.loc["photo001.png", "error"]


def test_nothing_is_loaded_where_nothing_is_left_to_do(tmp_path: Path) -> None:
    config = BatchConfig(photos(tmp_path / "in", 1), tmp_path / "out")
    run_batch(config, loading_engine(lambda: invert_colours))

    def never() -> Process:
        raise AssertionError("loaded")

    assert run_batch(config, loading_engine(never)).skipped == 1


def test_any_error_of_one_photo_is_its_row_and_ctrl_c_stops(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 3)

    def moody(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
        if item.name == "photo001.png":
            raise RuntimeError("no kernel image")
        return invert_colours(item)

    summary = run_batch(BatchConfig(source, tmp_path / "out"), local_engine(moody))
    assert (summary.done, summary.failed) == (2, 1)
    errors = pandas.read_csv(summary.table).set_index("name")["error"]
    assert errors["photo001.png"] == "RuntimeError: no kernel image"

    def stopped(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
        if item.name == "photo001.png":
            raise KeyboardInterrupt
        return invert_colours(item)

    config = BatchConfig(source, tmp_path / "again")
    with pytest.raises(KeyboardInterrupt):
        run_batch(config, local_engine(stopped))
    assert run_batch(config, local_engine(invert_colours)).skipped == 1


def test_photos_of_a_folder_never_share_an_output(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 0)
    Image.new("RGB", (8, 8), (1, 2, 3)).save(source / "x.bmp.png")
    config = BatchConfig(source, tmp_path / "out")
    run_batch(config, local_engine(invert_colours))
    Image.new("RGB", (8, 8), (9, 9, 9)).save(source / "x.bmp")
    summary = run_batch(config, local_engine(invert_colours))
    assert (summary.done, summary.skipped) == (2, 1)
    colours = set()
    for path in (tmp_path / "out" / "pictures").iterdir():
        with Image.open(path) as image:
            colours.add(image.convert("RGB").getpixel((0, 0)))
    assert colours == {(254, 253, 252), (246, 246, 246)}


def test_a_photo_takes_its_name_back_and_is_done_again(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 0)
    Image.new("RGB", (8, 8), (9, 9, 9)).save(source / "x.bmp")
    config = BatchConfig(source, tmp_path / "out")
    run_batch(config, local_engine(invert_colours))
    Image.new("RGB", (8, 8), (1, 2, 3)).save(source / "x.bmp.png")
    assert run_batch(config, local_engine(invert_colours)).skipped == 0
    with Image.open(tmp_path / "out" / "pictures" / "x.bmp.png") as image:
        assert image.convert("RGB").getpixel((0, 0)) == (254, 253, 252)


def test_rows_of_a_manifest_that_changed_are_done_again(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", 4)
    (source / "a.wav").write_bytes(b"one sound")
    manifest = source / "list.csv"

    def told(rows: list[str]) -> list[str]:
        manifest.write_text("path,text,sound,strength\n" + "\n".join(rows) + "\n")
        seen: list[str] = []

        def process(item: Item) -> tuple[Image.Image, Mapping[str, float]]:
            seen.append(item.name)
            return invert_colours(item)

        run_batch(BatchConfig(manifest, tmp_path / "out"), local_engine(process))
        return seen

    rows = ["photo000.png,old,,1", "photo001.png,,a.wav,2", "photo002.png,,,1", "photo003.png,,,1"]
    assert len(told(rows)) == 4
    assert told(rows) == []
    assert told(["photo000.png,young,,1", *rows[1:]]) == ["photo000.png"]
    assert told(["photo000.png,young,,1", *rows[1:3], "photo003.png,,,"]) == ["photo003.png"]
    (source / "a.wav").write_bytes(b"another sound")
    assert told(["photo000.png,young,,1", *rows[1:3], "photo003.png,,,"]) == ["photo001.png"]
