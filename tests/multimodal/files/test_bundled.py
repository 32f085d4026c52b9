"""Model folders: manifests, lookups and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from multimodal.files.bundled import find_bundle, renew_manifest, verify_folder, write_manifest
from multimodal.files.weights import WeightsError


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


@pytest.mark.parametrize("files", ["[]", "7", '{"../a": {}}', '{"/a": {}}', '{"": {}}'])
def test_a_manifest_names_files_of_its_folder(tmp_path: Path, files: str) -> None:
    entry = '{"sha256": "", "size": 1, "licence": "MIT"}'
    (tmp_path / "manifest.json").write_text(f'{{"files": {files.replace("{}", entry)}}}')
    with pytest.raises(WeightsError, match=r"not a model manifest|not inside"):
        find_bundle(tmp_path)


def test_verify_leaves_the_card_to_people(folder: Path) -> None:
    (folder / "pictures").mkdir()
    for name in ("MODEL_CARD.md", "pictures/samples.jpg"):
        (folder / name).write_text("first")
    write_manifest(folder, {"clip/": "MIT"})
    for name in ("MODEL_CARD.md", "pictures/samples.jpg"):
        (folder / name).write_text("edited by hand")
    verify_folder(folder)
    assert renew_manifest(folder).files["MODEL_CARD.md"].size == len("edited by hand")
    assert find_bundle(folder).files["clip/config.json"].licence == "MIT"
    (folder / "clip" / "config.json").write_text("[]")
    for check in (verify_folder, renew_manifest):
        with pytest.raises(WeightsError, match=r"config\.json is not the file"):
            check(folder)


def test_a_folder_without_a_manifest_is_taken_as_it_is(tmp_path: Path) -> None:
    verify_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="no model at"):
        renew_manifest(tmp_path)
