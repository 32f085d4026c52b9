"""The recipe that measures a model, on a tiny one and a handful of tiny renders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multimodal import FaceEditor
from recipes.data import Faces
from recipes.evaluate import encoder_figures, generator_figures
from recipes.evaluate.evaluate import STAGES, Job, Sizes, evaluate
from recipes.render.factors import sample_factors
from tests.tiny_editor import tiny_editor

SIZES = Sizes(samples=20, renders=20, faces=3, descents=0, tuned=0, edited=1)


def shards(folder: Path, count: int, seed: int) -> Path:
    shard = folder / "shard_00000"
    shard.mkdir(parents=True)
    pictures = np.random.default_rng(seed).integers(0, 255, (count, 16, 16, 3), dtype=np.uint8)
    np.save(shard / "images.npy", pictures)
    rows = [json.dumps(sample_factors(seed + i, "heldout").to_dict()) for i in range(count)]
    (shard / "factors.jsonl").write_text("\n".join(rows))
    return folder


def extract(images: torch.Tensor) -> torch.Tensor:
    """A feature network in miniature: mean colours of a 2 by 2 grid."""
    return torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "model").mkdir()
    editor = tiny_editor(folder / "model")
    side = editor.generator.resolution
    heldout = Faces(shards(folder / "heldout", 24, 0), side)
    training = Faces(shards(folder / "training", 24, 50), side)
    return Job(editor, heldout, training, folder / "out", SIZES, extract)


def test_every_stage_is_measured_and_kept(job: Job) -> None:
    said: list[str] = []
    results = evaluate(job, say=said.append)
    assert said == list(STAGES)
    assert json.loads((job.out / "evaluate.json").read_text()) == results
    figures = results["distances"]
    assert (figures["samples"], figures["heldout"]) == (20, 20)
    assert figures["frechet"] > 0
    assert figures["frechet_share"] == figures["frechet"] / figures["frechet_women_men"]
    assert results["encoder"]["faces"] == 3
    assert results["encoder"]["bars"]["lpips"] == 0.1
    assert results["encoder"]["psnr"] > 0
    assert set(results["steps"]) == {"minutes", "of"}  # none were asked for
    assert -1 <= results["neighbours"]["cosine_of_samples"] <= 1
    for stage in ("samples", "inversions", "edits", "neighbours"):
        for _, path in results[stage]["pictures"]:
            with Image.open(job.out / path) as picture:
                assert min(picture.size) > 32
    said.clear()
    assert evaluate(job, say=said.append) == results
    assert said == []


def test_another_seed_is_measured_anew_from_kept_features(job: Job) -> None:
    said: list[str] = []
    first = evaluate(job, ("distances",))["distances"]
    second = evaluate(replace(job, seed=7), ("distances",), said.append)["distances"]
    assert said == ["distances"]
    assert second["frechet"] != first["frechet"]
    assert second["frechet_training_heldout"] == first["frechet_training_heldout"]


def test_without_training_renders_or_encoder(job: Job, tmp_path: Path) -> None:
    editor = replace(job.editor, encoder=None)
    bare = replace(job, editor=editor, training=None, out=tmp_path)
    results = evaluate(bare, ("encoder", "inversions", "edits", "neighbours", "distances"))
    assert "frechet_training_heldout" not in results["distances"]
    for stage in ("encoder", "inversions", "edits", "neighbours"):
        assert set(results[stage]) == {"minutes", "of"}


def test_an_unknown_stage_is_refused(job: Job) -> None:
    with pytest.raises(ValueError, match=r"speed.*samples, encoder"):
        evaluate(job, ("speed",))


def test_features_are_read_again(tmp_path: Path) -> None:
    drawn: list[int] = []

    def draw(numbers: np.ndarray) -> torch.Tensor:
        drawn.extend(numbers)
        return torch.from_numpy(numbers).float()[:, None, None, None].expand(-1, 3, 4, 4)

    first = generator_figures.features(draw, 20, extract, tmp_path)
    again = generator_figures.features(draw, 20, extract, tmp_path)
    assert drawn == list(range(20))
    assert np.array_equal(first, again)
    assert first.shape == (20, 12)
    assert np.array_equal(first[:, 0], np.arange(20))


def test_a_face_is_the_same_alone_and_in_a_batch(job: Job) -> None:
    draw = generator_figures.drawer(job.editor.generator, 3)
    both = draw(np.array([4, 5]))
    assert torch.allclose(draw(np.array([5]))[0], both[1], atol=1e-4)


def test_a_copied_render_is_noticed() -> None:
    source = np.random.default_rng(0)
    training, heldout = source.normal(size=(50, 8)), source.normal(size=(40, 8))
    samples = np.concatenate([source.normal(size=(9, 8)), training[17:18]])
    found = generator_figures.neighbours(samples, heldout, training)
    assert found.pairs[0] == (9, 17)
    assert found.figures["nearest_sample"] == pytest.approx(1)
    assert found.figures["nearer_than_99_percent_of_heldout"] >= 0.1


def test_figures_of_one_inversion(job: Job, tmp_path: Path) -> None:
    way = encoder_figures.WAYS[0]
    editor: FaceEditor = job.editor
    found = encoder_figures.measure(editor, job.heldout, 2, way, tmp_path, 1)
    assert found["faces"] == 2
    assert found["seconds"] > 0
    rows = encoder_figures.shown_pictures(tmp_path, 3)
    assert [[label for label, _ in row] for row in rows] == [["original", way.about]]
