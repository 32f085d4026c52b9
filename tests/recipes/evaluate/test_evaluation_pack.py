"""The evaluation pack: written from shards and portraits, read back by the evaluation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps.evaluation.samples import load_pack
from multimodal.recognition.judge import Judge, JudgeConfig, load_judge, save_judge
from recipes.evaluate import evaluation_pack
from recipes.render.factors import sample_factors

SAMPLES = Path(__file__).resolve().parents[3] / "apps" / "samples" / "faces"


@pytest.fixture
def heldout(tmp_path: Path) -> Path:
    folder = tmp_path / "heldout" / "shard_00000"
    folder.mkdir(parents=True)
    pictures = np.random.default_rng(0).integers(0, 255, (6, 8, 8, 3), dtype=np.uint8)
    large = [np.asarray(Image.fromarray(p).resize((128, 128))) for p in pictures]
    np.save(folder / "images.npy", np.stack(large))
    rows = [sample_factors(seed, "heldout").to_dict() for seed in range(6)]
    (folder / "factors.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "captions.jsonl").write_text("\n".join(json.dumps([f"face {i}"]) for i in range(6)))
    return folder.parent


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A portrait, a picture without a face, and one of an index nobody asks for."""
    folder = tmp_path / "photos"
    folder.mkdir()
    face = sorted(SAMPLES.glob("*.jpg"))[0]
    (folder / "female_075.jpg").write_bytes(face.read_bytes())
    (folder / "female_001.jpg").write_bytes(face.read_bytes())
    Image.new("RGB", (256, 256), "white").save(folder / "male_076.jpg")
    lines = ["file,sex,source_index,age", "female_075.jpg,female,75,30"]
    lines += ["female_001.jpg,female,1,30", "male_076.jpg,male,76,40"]
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


def test_the_pack_is_whole_and_reads_back(
    heldout: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = JudgeConfig({"sex": ("female", "male")}, 32, 32, (8,) * 4, (8,) * 4, hidden=8)
    judge = save_judge(Judge(config, {"sex": 0.7}), tmp_path / "run" / "judge.safetensors")
    out = tmp_path / "evaluation"
    words = ["--heldout", heldout, "--photos", photos, "--judge", judge, "--out", out]
    monkeypatch.setattr(sys, "argv", ["recipe", *map(str, words), "--faces", "3"])
    evaluation_pack.main()
    pack = load_pack(out)
    assert [sample.name for sample in pack.renders] == ["000", "001", "002"]
    assert [sample.name for sample in pack.portraits] == ["female_075"]
    assert pack.captions == (["face 0"], ["face 2"], ["face 4"])
    assert pack.factors[1] == sample_factors(2, "heldout").to_dict()
    first = np.load(heldout / "shard_00000" / "images.npy")[0]
    assert np.abs(np.asarray(pack.renders[0].image).astype(int) - first).mean() < 8
    assert load_judge(out).figures == {"sex": 0.7}
    meanings = [json.loads(line) for line in (out / "sounds.jsonl").read_text().splitlines()]
    assert {"file": "1_laugh.ogg", "meaning": "a laughing person"} in meanings
    assert "CC0-1.0" in (out / "LICENSES.md").read_text()


def test_a_pack_that_is_too_large_is_refused(
    heldout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation_pack, "MAX_BYTES", 100)
    words = ["recipe", "--heldout", str(heldout), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(ValueError, match="more than 100"):
        evaluation_pack.main()
