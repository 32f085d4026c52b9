"""Words and numbers that no command can use: one line each, exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import apps.edits
from apps.cli import run
from multimodal import FaceEditor


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, editor: FaceEditor) -> None:
    monkeypatch.setattr(apps.edits, "load_editor", lambda *_, **__: editor)


def said(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line of a command that is refused."""
    assert run([str(word) for word in words]) == 2
    told = capsys.readouterr().err
    assert told.startswith("semblance: ")
    assert told.count("\n") == 1
    return told


def test_bytes_that_are_no_text(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "a.png")
    bad = b"a smile \xff".decode("utf-8", "surrogateescape")
    assert "holds bytes that are no text" in said(capsys, "edit", photo, "--text", bad, *out)
    words = ("edit", photo, "--text", "old", "--neutral", bad)
    assert "holds bytes that are no text" in said(capsys, *words, *out)
    listed = tmp_path / "edits.json"
    row = {"text": "\ud800"}
    listed.write_text(json.dumps({"format": "semblance edits 1", "edits": [row]}))
    told = said(capsys, "edit", photo, "--edits", listed, *out)
    assert "edit 0: text holds bytes that are no text" in told


@pytest.mark.parametrize("seed", [2**63, -(2**64), 10**40])
def test_seeds_beyond_64_bits(
    capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path, seed: int
) -> None:
    out = tmp_path / "out"
    for words in (
        ("edit", photo, "--text", "old", "--out", f"{out}.png"),
        ("sample", "--out", out),
        ("invert", photo, "--out", f"{out}.safetensors"),
    ):
        assert "64 bits" in said(capsys, *words, f"--seed={seed}")
    told = said(capsys, "interpolate", f"seed:{abs(seed)}", "seed:1", "--out", f"{out}.mp4")
    assert "64 bits" in told
