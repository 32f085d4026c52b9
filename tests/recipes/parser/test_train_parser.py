"""The parser's recipe on tiny data: variation, losses, training, its own answers."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from multimodal.parsing import CLASSES, ParserConfig, load_parser, save_parser
from recipes.loop import RunConfig, start
from recipes.parser import augment
from recipes.parser.data import Labelled, Mixture, members
from recipes.parser.evaluate_parser import read_hand_labels
from recipes.parser.losses import losses, overlap, pixel_weights, set_loss
from recipes.parser.partial import ALL, bits, sets_of
from recipes.parser.partial import SIDE as WHOLE
from recipes.parser.rough import FACE, outlined, read_rough, rough_sets, told
from recipes.parser.self_training import answered, decided, plain
from recipes.parser.teachers import BROWS, OVAL, Seen
from recipes.parser.train_parser import begin, in_rounds, mean_overlap, new_parser, show, train

SIDE = 64
TINY = ParserConfig(SIDE, (24, 16))


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """Four pictures: a bright square of skin before black, hair above it."""
    folder = tmp_path_factory.mktemp("renders") / "shard_00000"
    folder.mkdir()
    labels = np.zeros((4, SIDE, SIDE), np.uint8)
    labels[:, 24:56, 16:48] = CLASSES.index("skin")
    labels[:, 8:24, 16:48] = CLASSES.index("hair")
    images = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    images[labels == CLASSES.index("skin")] = (230, 180, 150)
    images[labels == CLASSES.index("hair")] = (60, 120, 40)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    return Labelled.renders(folder.parent)


def test_a_picture_has_one_class_a_pixel(renders: Labelled) -> None:
    picture, sets = renders[3]
    assert picture.shape == (SIDE, SIDE, 3)
    assert set(np.unique(sets)) == {bits("background"), bits("skin"), bits("hair")}
    with pytest.raises(FileNotFoundError, match="no labelled shards"):
        Labelled.renders(Path("nowhere"))


def test_batches_are_varied_the_same_for_the_same_seed(renders: Labelled) -> None:
    pictures, sets = next(Mixture(renders, renders, 4, 0.5, (SIDE,), seed=3))
    again, _ = next(Mixture(renders, renders, 4, 0.5, (SIDE,), seed=3))
    assert pictures.shape == (4, 3, SIDE, SIDE)
    assert sets.shape == (4, SIDE, SIDE)
    assert float(pictures.abs().max()) <= 1
    torch.testing.assert_close(pictures, again)


def test_moving_keeps_labels_on_their_pixels(renders: Labelled) -> None:
    picture, sets = renders[0]
    moved, labels = augment.placed(picture, sets, SIDE, np.random.default_rng(1))
    skin = labels == bits("skin")
    assert skin.any()
    assert moved[skin][:, 0].mean() > 0.8
    assert set(np.unique(labels)) <= {1, bits("skin"), bits("hair"), ALL}


def test_the_loss_asks_for_the_set_alone() -> None:
    logits = torch.full((1, 16, 2, 2), -20.0)
    logits[:, CLASSES.index("hair")] = logits[:, CLASSES.index("hat")] = 20.0
    both = torch.full((1, 2, 2), bits("hair", "hat"), dtype=torch.int32)
    hair = torch.full((1, 2, 2), bits("hair"), dtype=torch.int32)
    skin = torch.full((1, 2, 2), bits("skin"), dtype=torch.int32)
    assert float(set_loss(logits, both)) == pytest.approx(0, abs=1e-4)
    assert float(set_loss(logits, hair)) == pytest.approx(np.log(2), abs=1e-3)
    assert float(set_loss(logits, skin)) > 10
    assert float(set_loss(logits, torch.full((1, 2, 2), ALL, dtype=torch.int32))) == 0
    assert members(both, 16).sum() == 8


def test_overlap_of_labels() -> None:
    inter, union = overlap(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 1, 1]), 2)
    assert inter.tolist() == [1, 2]
    assert union.tolist() == [2, 3]


def test_points_and_person_leave_sets() -> None:
    turn = np.linspace(0, 2 * np.pi, 468, endpoint=False)
    points = 0.5 + 0.2 * np.stack([np.cos(turn), np.sin(turn)], 1)
    person = np.zeros((256, 256), np.float32)
    person[40:] = 1.0
    seen = Seen(points, np.full((2, 5, 2), 0.5), 0.0, person)
    sets = sets_of(seen)
    assert (sets[:30] == bits("background")).all()
    assert not (sets[60:] & bits("background")).any()


def test_overlap_is_learnt_of_sure_pixels_alone() -> None:
    logits = torch.full((1, 16, 4, 4), -20.0)
    hair, skin = CLASSES.index("hair"), CLASSES.index("skin")
    logits[:, hair, :2], logits[:, skin, 2:] = 20.0, 20.0
    sets = torch.full((1, 4, 4), bits("skin"), dtype=torch.int32)
    sets[:, :2] = bits("hair")
    assert float(losses(logits, sets)[1]) == pytest.approx(0, abs=1e-4)
    sets[:, 1] = bits("skin")
    assert float(losses(logits, sets)[1]) == pytest.approx(1 - (4 / 8 + 8 / 12) / 2, abs=1e-3)
    sets[:, 1] = bits("skin", "hat")
    assert float(losses(logits, sets)[1]) == pytest.approx(0, abs=1e-3)


def test_small_parts_and_borders_count_more() -> None:
    sets = torch.ones(1, SIDE, SIDE, dtype=torch.int32)
    sets[:, :8, :8] = bits("hair")
    weights = pixel_weights(sets)[0]
    assert weights[2, 2] > 2 * weights[40, 40]
    assert weights[7, 2] > 2 * weights[2, 2]


def test_a_brow_is_what_is_dark_in_its_outline_and_beside() -> None:
    grey = np.full((WHOLE, WHOLE), 0.7, np.float32)
    points = np.full((468, 2), 0.5)
    for k, brow in enumerate(BROWS):
        xs = np.linspace(0, 0.2, 5) + 0.25 + 0.3 * k
        points[list(brow)] = np.stack([np.r_[xs, xs[::-1]], np.repeat([0.42, 0.38], 5)], 1)
    turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    points[list(OVAL)] = 0.5 + 0.4 * np.stack([np.cos(turn), np.sin(turn)], 1)
    seen = Seen(points, np.full((2, 5, 2), 0.5), 1.0, np.ones((WHOLE, WHOLE), np.float32))
    grey[97:106, 66:112] = 0.1
    plainly, without = sets_of(seen, grey), sets_of(seen)
    brow, allowed = bits("brows"), bits("brows", "hair", "glasses", "hat")
    assert not int(plainly[98, 90]) & ~allowed
    assert plainly[98, 90] & brow
    assert not plainly[95, 90] & brow  # as light as skin, though the outline is near
    assert without[95, 90] & brow


def test_a_short_run_learns_saves_and_goes_on(renders: Labelled, tmp_path: Path) -> None:
    parser = new_parser(TINY, pretrained=False)
    data = Mixture(renders, None, 2, sides=(SIDE,))
    begin(parser, next(data)[0])
    pictures, sets = next(Mixture(renders, None, 2, sides=(SIDE,), seed=9))
    with torch.no_grad():
        before = float(set_loss(parser(pictures), sets))
    run = start(RunConfig(tmp_path, steps=10, log_every=5))
    trained = train(run, parser, data, 2, 1e-2)
    with torch.no_grad():
        assert float(set_loss(trained(pictures), sets)) < 0.8 * before
    save_parser(trained, tmp_path / "parser.safetensors")
    show(run, trained, data)
    assert (tmp_path / "parsed.png").is_file()
    assert 0 <= mean_overlap(load_parser(tmp_path).network, renders)["mean"] <= 1
    again = start(RunConfig(tmp_path, steps=11))
    train(again, new_parser(TINY, pretrained=False), data, 2, 1e-2)
    assert again.step == 11


def test_rounds_learn_their_own_answers(renders: Labelled, tmp_path: Path) -> None:
    sets = np.stack([renders[i][1] for i in range(len(renders))])
    sets[:, 24:40] = bits("skin", "glasses")
    photos = Labelled(renders.images, (sets,), ("a.png", "b.png", "c.png", "d.png"))
    options = argparse.Namespace(
        out=tmp_path, self_train=1, rough=True, side=SIDE, batch=2, photo_share=0.5, seed=0, lr=1e-3
    )
    run = start(RunConfig(tmp_path, steps=1))
    in_rounds(run, new_parser(TINY, pretrained=False), renders, photos, options)
    assert (tmp_path / "round0").is_dir()
    assert (tmp_path / "round1").is_dir()


def test_rare_classes_are_struck_and_sure_answers_become_labels(renders: Labelled) -> None:
    asked = [bits("skin", "beard"), bits("glasses"), bits("skin", "hair"), bits("hat", "beard")]
    sets = np.array(asked, np.uint16)
    assert plain(sets).tolist() == [ALL, bits("glasses"), bits("skin", "hair"), ALL]
    sure = torch.zeros(1, 16, 1, 4)
    sure[:, CLASSES.index("skin")] = 3.0
    row = torch.tensor(asked).int()[None, None]
    found = decided(sure.softmax(1), row)[0, 0]
    assert found.tolist() == [bits("skin"), bits("glasses"), bits("skin"), bits("hat", "beard")]
    unsure = decided((sure / 10).softmax(1), row)[0, 0]
    assert unsure.tolist() == [ALL, bits("glasses"), bits("skin", "hair"), bits("hat", "beard")]
    network = new_parser(TINY, pretrained=False)
    photos = answered(network, renders, [1])
    assert np.array_equal(photos[1][1], renders[1][1])
    assert photos[0][1].shape == (SIDE, SIDE)


def test_rough_outlines_tell_of_what_they_cover_alone(renders: Labelled) -> None:
    square = [[10, 10], [40, 10], [40, 40], [10, 40]]
    face = [[30, 30], [80, 30], [80, 80], [30, 80]]
    shapes: list[tuple[str, list[list[int]]]] = [("hat", square), ("skin", face)]
    known = np.full((SIDE, SIDE), ALL, np.uint16)
    known[48:] = bits("skin", "beard", "neck")
    sets = rough_sets(shapes, known)
    assert sets[12, 12] == sets[24, 24] == bits("hat")
    assert sets[45, 45] == FACE
    assert sets[50, 45] == bits("skin", "beard")
    assert sets[40, 5] == ALL
    known[:] = bits("lips", "beard")
    assert rough_sets([("beard", face)], known)[45, 45] == bits("lips", "beard")
    photos = Labelled(renders.images, renders.labels, ("a.png", "b.png", "c.png", "d.png"))
    assert told(photos, {"c.png": shapes}) == [2]
    drawn = outlined(photos, {"c.png": shapes})
    assert drawn[2][1][12, 12] == bits("hat")
    assert drawn[1][1][12, 12] == 1


def test_roughly_outlined_photographs_are_none_that_a_parser_is_measured_on() -> None:
    assert len(read_rough()) > 50
    assert not set(read_rough()) & set(read_hand_labels())
