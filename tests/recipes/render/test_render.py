"""The renderer through its public door; needs the MakeHuman assets, which a checkout may lack."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recipes.render import Factors, sample_factors
from recipes.render.dataset import plan, run, variants
from recipes.render.drawing.assets import default_root
from recipes.render.head.landmarks import ffhq_crop

ASSETS = default_root()
needs_assets = pytest.mark.skipif(
    not (ASSETS / "mpfb2" / "3dobjs" / "base.obj").is_file(), reason="MakeHuman assets are not here"
)


def _render(factors: Factors, resolution: int = 64):
    from recipes.render.scene import render

    return render(factors, resolution)


@needs_assets
def test_render_shapes_and_determinism():
    factors = sample_factors(1)
    first, second = _render(factors), _render(factors)
    assert first.image.shape == (64, 64, 3)
    assert first.image.dtype == np.uint8
    assert first.landmarks.shape == (68, 2)
    assert first.segments.shape == (64, 64)
    np.testing.assert_array_equal(first.image, second.image)


@needs_assets
def test_heads_are_ffhq_aligned():
    points = _render(
        replace(sample_factors(2), yaw=20.0, pitch=-8.0, expression="neutral"), 100
    ).landmarks
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    # The crop rule applied to its own output is the identity map.
    np.testing.assert_allclose(ffhq_crop(points, 100)[:, :2], np.eye(2), atol=0.02)
    assert abs((left + right)[1] / 2 - 47) < 3
    assert 20 < right[0] - left[0] < 27


@needs_assets
def test_beard_darkens_the_chin_only_and_is_segmented():
    man = Factors(sex=0.97, age=35, hair_color=(0.05, 0.04, 0.04), light_yaw=0.0)
    bare = _render(man, 96)
    bearded = _render(replace(man, beard_style="full", beard_amount=1.0), 96)
    chin = bare.landmarks[8].round().astype(int) - [0, 5]
    brow = bare.landmarks[27].round().astype(int)
    assert bearded.image[chin[1], chin[0]].mean() < 0.6 * bare.image[chin[1], chin[0]].mean()
    np.testing.assert_array_equal(bearded.image[brow[1], brow[0]], bare.image[brow[1], brow[0]])
    assert (bearded.segments == 8).sum() > 100 > (bare.segments == 8).sum()


@needs_assets
@pytest.mark.parametrize(("expression", "sign"), [("smile", 1), ("sad", -1)])
def test_mouth_corners_follow_the_expression(expression: str, sign: int):
    head = Factors(age=30)
    calm = _render(head, 128).landmarks
    moved = _render(replace(head, expression=expression, expression_strength=1.0), 128).landmarks

    def lift(points: np.ndarray) -> float:
        return float(points[[51, 57], 1].mean() - points[[48, 54], 1].mean())

    assert sign * (lift(moved) - lift(calm)) > 1.0


@needs_assets
def test_expressions_do_not_move_the_crop():
    calm, wide = Factors(), Factors(expression="mouth_open", expression_strength=1.0)
    corners = [36, 39, 42, 45]
    shift = _render(wide, 128).landmarks[corners] - _render(calm, 128).landmarks[corners]
    assert np.abs(shift).max() < 1.5


@needs_assets
def test_yaw_turns_to_the_right_of_the_picture():
    points = [_render(Factors(yaw=yaw)).landmarks for yaw in (-25.0, 25.0)]
    offsets = [p[30, 0] - p[36:48, 0].mean() for p in points]
    assert offsets[0] < -1 < 1 < offsets[1]


@needs_assets
def test_render_rejects_unknown_values(tmp_path: Path):
    from recipes.render.scene import render

    with pytest.raises(ValueError, match="resolution"):
        render(Factors(), 4)
    with pytest.raises(ValueError, match="giddy"):
        render(Factors(expression="giddy", expression_strength=1.0), 32)
    with pytest.raises(FileNotFoundError, match="MakeHuman"):
        render(Factors(), 32, tmp_path)


@needs_assets
def test_shards_are_written_once_and_resumed(tmp_path: Path):
    jobs = plan(tmp_path, 5, 32, "heldout", ASSETS, shard_size=3)
    heads: list[int] = []
    run(jobs, 1, heads.append)
    assert heads == [3, 2]
    shard = tmp_path / "shard_00001"
    assert np.load(shard / "images.npy").shape == (2, 32, 32, 3)
    assert np.load(shard / "landmarks.npy").shape == (2, 68, 2)
    rows = [json.loads(line) for line in (shard / "factors.jsonl").read_text().splitlines()]
    assert Factors.from_dict(rows[0]) == sample_factors(3, "heldout")
    assert len((shard / "captions.jsonl").read_text().splitlines()) == 2
    assert plan(tmp_path, 5, 32, "heldout", ASSETS, shard_size=3) == []
    assert {p.name for p in tmp_path.iterdir()} == {"shard_00000", "shard_00001"}
    more = plan(tmp_path, 6, 32, "heldout", ASSETS, shard_size=3)
    assert [job.folder.name for job in more] == ["shard_00001"], "it was cut short by the count"
    run(more, 1, lambda heads: None)
    assert np.load(shard / "images.npy").shape == (3, 32, 32, 3)
    assert plan(tmp_path, 6, 32, "heldout", ASSETS, shard_size=3) == []
    assert plan(tmp_path, 4, 32, "heldout", ASSETS, shard_size=3) == []


def test_variants_change_one_factor():
    head = sample_factors(4)
    turned = variants(head, "yaw")
    assert [f.yaw for f in turned] == [-28.0, 0.0, 28.0]
    assert all(replace(f, yaw=head.yaw) == head for f in turned)
    with pytest.raises(ValueError, match="mood"):
        variants(head, "mood")


def test_plan_checks_its_arguments(tmp_path: Path):
    with pytest.raises(ValueError, match="split"):
        plan(tmp_path, 5, 32, "test", ASSETS)
    with pytest.raises(ValueError, match="vary"):
        plan(tmp_path, 5, 32, "train", ASSETS, vary="mood")
