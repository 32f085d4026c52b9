"""The server's own folder for everything that it and Gradio write: private, swept, gone at the end.

A process holds a lock on its folder. When it is killed the lock is free, and the next start removes
the folder.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

FOLDER_SECONDS = 2 * 3600
UPLOAD_SECONDS = 3600
PARTIAL_SECONDS = 120
LEFT_SECONDS = 24 * 3600
"""Age of a folder without a lock that is taken for left behind."""
HOME_PREFIX = "semblance-studio-"
LOCK, UPLOADS = ".in-use", "uploads"
PARTIAL = "tmp*"
"""What Gradio calls an upload that is under way."""
VARIABLE = "GRADIO_TEMP_DIR"


class Home:
    """The process's own folder, made when first needed and gone when the process ends."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._path: Path | None = None
        self._held: IO[str] | None = None
        self._kept: frozenset[Path] = frozenset()

    def path(self) -> Path:
        """The folder; its time shows to other processes that it is in use."""
        with self._mutex:
            if self._path is None or not self._path.is_dir():
                parent = Path(tempfile.gettempdir())
                remove_left(parent)
                self._path = Path(tempfile.mkdtemp(prefix=HOME_PREFIX, dir=parent))
                self._held = _lock(self._path / LOCK)
                atexit.register(self.remove)
            os.utime(self._path)
            return self._path

    def uploads(self) -> Path:
        """Where Gradio writes; Gradio is told so by the environment."""
        folder = self.path() / UPLOADS
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ[VARIABLE] = str(folder)
        return folder

    def keep(self) -> None:
        """What Gradio has written so far belongs to the page and stays."""
        self._kept = frozenset(path for path in self.uploads().rglob("*") if path.is_file())

    def new_folder(self) -> Path:
        """A folder for files of one person or request; those of long ago are removed."""
        home = self.path()
        self.sweep()
        return Path(tempfile.mkdtemp(dir=home))

    def sweep(self) -> None:
        """Remove what is older than it may get."""
        home = self.path()
        own = [path for path in home.iterdir() if path.name not in (LOCK, UPLOADS)]
        _remove_older(own, FOLDER_SECONDS)
        self.remove_partial(PARTIAL_SECONDS)
        uploads = (p for p in (home / UPLOADS).rglob("*") if p not in self._kept and p.is_file())
        _remove_older(uploads, UPLOAD_SECONDS)

    def remove_partial(self, seconds: float = 0.0) -> None:
        """Remove uploads that nothing was added to for so long."""
        _remove_older((self.path() / UPLOADS).glob(PARTIAL), seconds)

    def keep_swept(self, every: float = 60.0) -> None:
        """Sweep from now on, until the process ends."""

        def sweep() -> None:
            while True:
                time.sleep(every)
                with suppress(OSError):
                    self.sweep()

        threading.Thread(target=sweep, daemon=True, name="sweep").start()

    def remove(self) -> None:
        """Remove the folder. Takes no lock: a signal may come while this thread holds it."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)


HOME = Home()
"""This process's."""


def remove_left(temporary: Path) -> None:
    """Remove what processes of this user left behind when they were killed."""
    own = getattr(os, "getuid", lambda: 0)()
    for path in temporary.glob(f"{HOME_PREFIX}*"):
        if _is_own_folder(path, own):
            if _is_free(path / LOCK):
                shutil.rmtree(path, ignore_errors=True)
            elif not (path / LOCK).exists():
                _remove_older([path], LEFT_SECONDS)


def _lock(path: Path) -> IO[str] | None:
    """A file locked by this process, or None where the system has no such locks or it is taken."""
    try:
        import fcntl
    except ImportError:
        return None
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _is_free(path: Path) -> bool:
    """Is it a lock that nobody holds?"""
    with suppress(OSError):
        if path.is_file() and (held := _lock(path)) is not None:
            held.close()
            return True
    return False


def _is_own_folder(path: Path, own: int) -> bool:
    with suppress(FileNotFoundError):
        found = path.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == own
    return False


def _remove_older(paths: Iterable[Path], seconds: float) -> None:
    for old in paths:
        with suppress(FileNotFoundError):  # another thread sweeps too
            if time.time() - old.lstat().st_mtime < seconds:
                continue
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink()
