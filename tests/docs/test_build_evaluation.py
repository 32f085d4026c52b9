"""The page that an evaluation's report is put into."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from docs.build_evaluation import BEGIN, END, copy_pictures, filled

REPORT = "# How good is `tiny`?\n\nMeasured.\n\n## Text\n\n| a |\n| --- |\n\nA sheet\n\n![A](sheet.png)\n"


def test_tables_replace_what_was_there() -> None:
    page = f"# Evaluation\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    once = filled(page, REPORT)
    assert "old" not in once
    assert "### Text" in once
    assert "![A](images/evaluation-sheet.jpg)" in once
    assert once.endswith("\n\nafter\n")
    assert filled(once, REPORT) == once
    with pytest.raises(ValueError, match="has no"):
        filled("# Evaluation\n", REPORT)


def test_pictures_come_along_smaller(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 500), "red").save(tmp_path / "sheet.png")
    (path,) = copy_pictures(REPORT, tmp_path, tmp_path)
    assert path.name == "evaluation-sheet.jpg"
    assert Image.open(path).size == (1000, 250)
