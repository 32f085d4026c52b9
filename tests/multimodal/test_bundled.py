"""Model folders: manifests, lookups and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from multimodal.bundled import find_bundle, write_manifest
from multimodal.weights import WeightsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clip").mkdir()
    (tmp_path / "generator.safetensors").write_bytes(b"weights")
    (tmp_path / "clip" / "config.json").write_text("{}")
    return tmp_path


def test_manifest_round_trip_with_licences(folder: Path) -> None:
    written = write_manifest(folder, {"clip/": "MIT"})
    found = find_bundle(folder)
    assert found == written
    assert found.files["clip/config.json"].licence == "MIT"
    assert found.files["generator.safetensors"].licence == "CC0-1.0"
    assert found.path("clip") == folder / "clip"
    assert "clip" in found
    assert "sound" not in found


def test_changed_file_is_refused(folder: Path) -> None:
    write_manifest(folder, {})
    (folder / "generator.safetensors").write_bytes(b"another")
    with pytest.raises(WeightsError, match="not the file"):
        find_bundle(folder).path("generator.safetensors")


def test_missing_parts_are_named(folder: Path) -> None:
    write_manifest(folder, {})
    with pytest.raises(FileNotFoundError, match="has no 'sound'"):
        find_bundle(folder).path("sound")
    (folder / "clip" / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="missing from"):
        find_bundle(folder).path("clip")


def test_unknown_model_lists_the_shipped_ones() -> None:
    with pytest.raises(FileNotFoundError, match="shipped models"):
        find_bundle("no-such-model")


def test_broken_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"files": {"a": {"sha": 1}}}')
    with pytest.raises(WeightsError, match="not a model manifest"):
        find_bundle(tmp_path)
