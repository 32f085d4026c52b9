"""How a command shares the machine with others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps import threads
from apps.threads import Watch, free_cores


def test_worker_threads_sleep_while_they_wait() -> None:
    script = (
        "import apps.cli, os, sys; assert 'torch' not in sys.modules;"
        "apps.cli.run(['models', 'list']); print(os.environ['OMP_WAIT_POLICY'])"
    )
    rest = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run([sys.executable, "-c", script], env=rest, capture_output=True, text=True)
    assert done.stdout.split()[-1] == "PASSIVE", done.stderr
    kept = {**rest, "OMP_WAIT_POLICY": "ACTIVE"}
    done = subprocess.run([sys.executable, "-c", script], env=kept, capture_output=True, text=True)
    assert done.stdout.split()[-1] == "ACTIVE"


@pytest.mark.parametrize(
    ("others", "own", "free"), [(0.0, 1.0, 2), (1.0, 0.0, 1), (1.0, 1.0, 1), (2.0, 1.0, 1)]
)
def test_cores_that_others_use_are_left_to_them(
    monkeypatch: pytest.MonkeyPatch, others: float, own: float, free: int
) -> None:
    monkeypatch.setattr(threads, "watch", lambda: Watch(11.0, 100.0 + others + own, 5.0 + own))
    assert free_cores(Watch(10.0, 100.0, 5.0), 2) == free


def test_nothing_known_means_all_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(threads, "STAT", tmp_path / "none")
    assert threads.watch() is None
    assert free_cores(None, 4) == 4
