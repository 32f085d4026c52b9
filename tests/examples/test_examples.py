"""Every example runs, as a person runs it, on the tiny model."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
WRITES = {
    "text_edit": ["text_edit.png"],
    "sound_edit": ["sound_edit.png"],
    "mix": ["mix.png"],
    "animate": ["laugh.mp4", "prompts.gif", "prompts.srt"],
    "new_method": ["new_method.png"],
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person's is read or written; without LPIPS there, inversion is quick."""
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path / "cache"))


def run(name: str, out: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    """`python examples/NAME.py --out OUT`, in this process."""
    path = EXAMPLES / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), "--out", str(out), *more])
    monkeypatch.syspath_prepend(str(EXAMPLES))
    runpy.run_path(str(path), run_name="__main__")


def test_there_is_a_test_for_every_example() -> None:
    scripts = {path.stem for path in EXAMPLES.glob("*.py")} - {"common"}
    assert scripts == {*WRITES, "batch"}


@pytest.mark.parametrize("name", WRITES)
def test_example(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(name, tmp_path, monkeypatch, "--model", "tiny")
    for file in WRITES[name]:
        assert os.path.getsize(tmp_path / file) > 0
    told, note = capsys.readouterr()
    assert str(tmp_path / WRITES[name][0]) in told
    assert "random weights" in note  # the tiny model is never passed off as a real one


def test_a_batch_is_not_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for done in (0, 3):
        run("batch", tmp_path, monkeypatch, "--model", "tiny")
        assert f"3 of 3 photos, {done} done before" in capsys.readouterr().out
    assert len(list((tmp_path / "batch" / "pictures").iterdir())) == 3


def test_the_model_is_the_bundled_one_unless_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import common

    monkeypatch.setattr(common, "bundled_model", lambda: "default")
    monkeypatch.setattr(sys, "argv", ["example.py", "--out", str(tmp_path)])
    assert common.start("About.") == common.Options("default", tmp_path)
