"""The judge's recipe: labels from factors, a tiny training that learns, the saved file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from multimodal.recognition.judge import Judge, JudgeConfig, load_judge
from recipes.judge import train_judge
from recipes.judge.train_judge import (
    CLASSES,
    UNKNOWN,
    Renders,
    class_weights,
    label_matrix,
    measure,
)
from recipes.loop import RunConfig, start
from recipes.render.factors import Factors, sample_factors

pytestmark = pytest.mark.filterwarnings("ignore")
TINY = {"whole": 32, "face": 32, "whole_widths": (8, 8, 8, 8), "face_widths": (8, 8, 8, 8)}


def write_shard(folder: Path, seeds: range) -> Path:
    """A shard of pictures whose brightness tells the sex."""
    folder.mkdir(parents=True)
    factors = [sample_factors(seed) for seed in seeds]
    source = np.random.default_rng(seeds.start)
    grain = source.integers(0, 40, (len(factors), 32, 32, 3))
    base = np.array([160 if f.sex > 0.5 else 30 for f in factors])[:, None, None, None]
    np.save(folder / "images.npy", (base + grain).astype(np.uint8))
    rows = [json.dumps(f.to_dict()) for f in factors]
    (folder / "factors.jsonl").write_text("\n".join(rows))
    return folder.parent


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of two shards and another of one."""
    root = tmp_path_factory.mktemp("renders")
    write_shard(root / "train" / "shard_00000", range(24))
    write_shard(root / "train" / "shard_00001", range(24, 40))
    return root / "train", write_shard(root / "more" / "shard_00000", range(100, 116))


def test_labels_follow_the_factors_and_leave_out_what_does_not_show() -> None:
    names = list(CLASSES)
    known = label_matrix(
        [
            Factors(sex=0.9, hair_style="bald", beard_style="full", weight=0.9).to_dict(),
            Factors(age=70, hat=True, expression="laugh", expression_strength=1).to_dict(),
            Factors(hair_style="shoulder", hair_color_name="red", glasses="round").to_dict(),
        ]
    )

    def said(row: int, name: str) -> str:
        return CLASSES[name][int(known[row, names.index(name)])]

    assert (said(0, "sex"), said(0, "bald"), said(0, "beard")) == ("male", "yes", "full")
    assert (said(0, "weight"), said(2, "weight")) == ("heavy", "average")
    assert known[0, names.index("hair_color")] == UNKNOWN
    assert (said(1, "age"), said(1, "expression"), said(1, "hat")) == ("old", "laugh", "yes")
    assert all(known[1, names.index(n)] == UNKNOWN for n in ("bald", "hair_style", "hair_color"))
    assert (said(2, "hair_style"), said(2, "hair_color")) == ("other", "red")
    assert (said(2, "glasses"), said(2, "hair_length")) == ("clear", "long")


def test_rare_classes_weigh_more_and_the_mean_weight_is_one() -> None:
    known = torch.zeros(100, len(CLASSES), dtype=torch.long)
    known[:4] = 1
    weights = class_weights(known)[0]
    assert weights[1] > 2 * weights[0]
    assert abs(float(weights[0] * 97 + weights[1] * 5) / 102 - 1) < 1e-5


def test_batches_keep_their_order_across_folders(renders: tuple[Path, Path]) -> None:
    data = Renders.read(renders, 32)
    assert len(data) == 56
    index = np.array([50, 3, 30, 45])
    batch = data.batch(index)
    assert torch.equal(batch[1], data.folders[0].batch(np.array([3]))[0])
    assert torch.equal(batch[0], data.folders[1].batch(np.array([10]))[0])
    bright = batch.mean(dim=(1, 2, 3)) > 0
    assert bright.tolist() == (data.labels[index, 0] == 1).tolist()


def test_training_learns_what_shows(renders: tuple[Path, Path], tmp_path: Path) -> None:
    data = Renders.read(renders[:1], 32)
    torch.manual_seed(0)
    judge = Judge(JudgeConfig(CLASSES, **TINY))
    run = start(RunConfig(tmp_path, steps=60), accelerator="cpu")
    trained = train_judge.train(run, data, judge, batch=16, lr=1e-2).eval()
    figures = measure(trained, Renders.read(renders[1:], 32))
    assert figures["sex"] > 0.9
    assert {"expression_plain", "years", "soft_sex", "soft_years"} <= set(figures)


def test_the_command_writes_a_judge_with_its_figures(
    renders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--data", *renders, "--heldout", renders[1], "--out", tmp_path]
    words += ["--widths", 8, 8, 8, 16, "--batch", 8, "--steps", 2]
    monkeypatch.setattr(sys, "argv", ["recipe", *map(str, words)])
    train_judge.main()
    judge = load_judge(tmp_path)
    assert judge.figures["pictures"] == 16
    assert judge.config.classes["expression"][1] == "smile"
    assert (tmp_path / "judge.safetensors").stat().st_size < 2_000_000
