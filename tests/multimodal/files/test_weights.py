from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from multimodal.files.weights import (
    WeightsError,
    atomic,
    cache_dir,
    check_file,
    fetch,
    package_file,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def served(tmp_path: Path, content: bytes, name: str = "model.pt") -> tuple[str, str]:
    path = tmp_path / name
    path.write_bytes(content)
    return path.as_uri(), hashlib.sha256(content).hexdigest()


def test_the_cache_folder_follows_the_environment(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert cache_dir() == cache
    assert cache.is_dir()
    monkeypatch.delenv("SEMBLANCE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_dir() == tmp_path / "home" / ".cache" / "semblance"


def test_fetch_stores_verifies_and_reuses(tmp_path: Path, cache: Path):
    url, digest = served(tmp_path, b"weights" * 1000)
    seen: list[int] = []
    path = fetch(url, digest, on_bytes=lambda done, total: seen.append(done))
    assert path == cache / "model.pt"
    assert path.read_bytes() == b"weights" * 1000
    assert seen[-1] == 7000
    (tmp_path / "model.pt").unlink()
    assert fetch(url, digest) == path  # from the cache


def test_fetch_refuses_another_file_and_leaves_nothing(tmp_path: Path, cache: Path):
    url, _ = served(tmp_path, b"weights")
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch(url, "0" * 64)
    assert list(cache.iterdir()) == []


def test_fetch_explains_a_web_page(tmp_path: Path):
    url, digest = served(tmp_path, b"<!DOCTYPE html><html>sign in</html>")
    with pytest.raises(WeightsError, match="web page"):
        fetch(url, digest)


def test_fetch_bounds_the_size_and_names_the_address(tmp_path: Path):
    url, digest = served(tmp_path, b"weights")
    with pytest.raises(WeightsError, match="longer than 3"):
        fetch(url, digest, max_bytes=3)
    with pytest.raises(WeightsError, match=r"gone\.pt"):
        fetch((tmp_path / "gone.pt").as_uri(), digest)
    with pytest.raises(WeightsError, match="https"):
        fetch("ftp://host/x.pt", digest)


def test_check_file_names_what_it_found(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"no\.pt"):
        check_file(tmp_path / "no.pt")
    path = tmp_path / "x.pt"
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match="empty"):
        check_file(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(WeightsError, match="LFS"):
        check_file(path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path):
    def interrupted(path: Path) -> None:
        with atomic(path) as part:
            part.write_bytes(b"new")
            raise RuntimeError

    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        interrupted(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.glob(".x*")) == []
    assert not path.stat().st_mode & 0o111


def test_package_file_finds_data_without_importing():
    assert package_file("lpips", "weights", "v0.1", "alex.pth").is_file()
    with pytest.raises(WeightsError, match="pip install no-such-package"):
        package_file("no_such_package", "x")
