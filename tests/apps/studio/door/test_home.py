"""The studio's own folder: private, locked while in use, swept, gone after a kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apps.studio.door.home import HOME_PREFIX, LOCK, Home, remove_left
from tests.apps.conftest import free_port

ROOT = str(Path(__file__).parents[4])


def test_what_is_old_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = Home()
    uploads = home.uploads()
    assert os.environ["GRADIO_TEMP_DIR"] == str(uploads)
    assert oct(uploads.stat().st_mode & 0o777) == oct(home.path().stat().st_mode & 0o777) == "0o700"
    (uploads / "sample").mkdir()
    for name in ("sample/kept.png", "sample/old.png", "sample/new.png", "tmpold", "tmpnew"):
        (uploads / name).write_text("x")
        if name == "sample/kept.png":
            home.keep()
        if "new" not in name:
            os.utime(uploads / name, (time.time() - 4000,) * 2)
    first = home.new_folder()
    home.sweep()
    left = {path.name for path in uploads.rglob("*") if path.is_file()}
    assert left == {"kept.png", "new.png", "tmpnew"}
    assert first.is_dir()
    home.remove_partial()
    assert not (uploads / "tmpnew").exists()
    home.remove()
    assert not list(tmp_path.glob(f"{HOME_PREFIX}*"))


def test_a_folder_in_use_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = Home()
    mine = home.path()
    dead = tmp_path / f"{HOME_PREFIX}dead"
    dead.mkdir()
    (dead / LOCK).touch()
    (tmp_path / f"{HOME_PREFIX}link").symlink_to(tmp_path)
    remove_left(tmp_path)
    assert mine.is_dir()
    assert not dead.exists()


SERVED = """
import sys
import gradio as gr
from apps.studio.door.home import HOME
HOME.uploads()
from apps.studio.server import ServerConfig, launch
with gr.Blocks() as demo:
    gr.Image()
config = ServerConfig(port=int(sys.argv[1]), hourly_bytes=10**9)
launch(demo, config, on_ready=lambda url: print(url, flush=True))
"""
START = (
    "POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    '--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
)


def abort(port: int) -> None:
    """An upload that breaks off in the middle."""
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(START.encode() + b"x" * 20_000)


def test_aborted_uploads_and_a_kill_leave_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": ROOT}
    environment.pop("GRADIO_TEMP_DIR", None)
    port = free_port()
    command = [sys.executable, "-c", SERVED, str(port)]
    errors = tmp_path / "errors.txt"
    with (
        errors.open("w") as said,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"http")
        home = next(tmp_path.glob(f"{HOME_PREFIX}*"))
        for _ in range(30):
            abort(port)
        until = time.monotonic() + 10
        while list((home / "uploads").glob("tmp*")) and time.monotonic() < until:
            time.sleep(0.1)
        assert not list((home / "uploads").glob("tmp*"))
        abort(port)
        process.send_signal(signal.SIGKILL)
    assert "Traceback" not in errors.read_text()
    assert home.is_dir()
    again = "from apps.studio.session import new_folder; new_folder()"
    subprocess.run([sys.executable, "-c", again], env=environment, check=True)
    assert not list(tmp_path.glob(f"{HOME_PREFIX}*"))
