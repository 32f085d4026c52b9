"""The container's recipe: linted, and in step with what it is made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_recipe_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_copies_and_runs_exists() -> None:
    recipe = (ROOT / "Dockerfile").read_text()
    assert "requirements.txt" in recipe
    assert (ROOT / "requirements.txt").is_file()
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {"requirements.txt", "README.md", "LICENSE", "apps", "multimodal"} & set(ignored)
    for variant in ("cpu", "cuda"):
        assert f"AS wheels-{variant}" in recipe
    assert "/healthz" in recipe


def test_it_runs_as_nobody_special() -> None:
    final = (ROOT / "Dockerfile").read_text().split("AS final")[1]
    assert "USER 1000" in final
