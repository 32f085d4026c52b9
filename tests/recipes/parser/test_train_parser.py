"""The parser's recipe on tiny data: variation, losses, training, its own answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multimodal.parsing import CLASSES, ParserConfig, load_parser, save_parser
from recipes.loop import RunConfig, start
from recipes.parser import augment
from recipes.parser.data import Labelled, Mixture, members
from recipes.parser.evaluate_parser import read_hand_labels
from recipes.parser.losses import overlap, set_loss
from recipes.parser.partial import ALL, bits, sets_of
from recipes.parser.rough import FACE, read_rough, rough_samples, rough_sets
from recipes.parser.samples import choose, keep_samples, pyramid, read_samples
from recipes.parser.self_training import answered, plain
from recipes.parser.teachers import Seen
from recipes.parser.train_parser import (
    begin,
    mean_overlap,
    new_parser,
    read_sampled,
    show,
    train,
)

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


def test_a_short_run_learns_saves_and_goes_on(renders: Labelled, tmp_path: Path) -> None:
    parser = new_parser(TINY, pretrained=False)
    data = Mixture(renders, None, 4, sides=(SIDE,))
    keep_samples(parser, data, tmp_path / "samples", parts=2, batches=1)
    seen, sets = read_samples(tmp_path / "samples")
    assert len(seen) == len(sets) == 2 * 4 * 256
    begin(parser, seen)
    before = float(set_loss(read_sampled(parser, seen.float()).T[None, :, :, None], as_row(sets)))
    run = start(RunConfig(tmp_path, steps=40, log_every=20))
    trained = train(run, parser, seen, sets, batch=256, lr=3e-3)
    after = float(set_loss(read_sampled(trained, seen.float()).T[None, :, :, None], as_row(sets)))
    assert after < 0.8 * before
    save_parser(trained, tmp_path / "parser.safetensors")
    show(run, trained, data)
    assert (tmp_path / "parsed.png").is_file()
    assert 0 <= mean_overlap(load_parser(tmp_path).network, renders)["mean"] <= 1
    again = start(RunConfig(tmp_path, steps=41))
    train(again, parser, seen, sets, batch=256, lr=3e-3)
    assert again.step == 41


def as_row(sets: torch.Tensor) -> torch.Tensor:
    return sets[None, :, None]


def test_sampled_pixels_are_read_as_whole_pictures_are(renders: Labelled) -> None:
    torch.manual_seed(1)
    parser = new_parser(TINY, pretrained=False)
    picture = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    with torch.no_grad():
        features = parser.trunk(picture)
        whole = parser.decode(features)
        at = torch.tensor([[(20.5 / 32) * 2 - 1, (8.5 / 32) * 2 - 1]])[None, None]
        alone = read_sampled(parser, pyramid(features, at))
    torch.testing.assert_close(alone[0], whole[0, :, 8, 20], atol=0.02, rtol=0.02)


def test_small_parts_and_borders_are_sampled_more() -> None:
    sets = np.ones((SIDE, SIDE), np.uint16)
    sets[:8, :8] = 4
    sets[32:] = ALL
    chosen = sets.ravel()[choose(sets, np.random.default_rng(0))]
    assert (chosen == 4).mean() > 0.15
    assert not (chosen == ALL).any()
    unknown = np.full((SIDE, SIDE), ALL, np.uint16)
    assert len(choose(unknown, np.random.default_rng(0))) == 256


def test_rare_classes_are_struck_and_sure_answers_become_labels() -> None:
    read = Favourite("skin", 3.0)
    sets = torch.tensor(
        [bits("skin", "beard"), bits("glasses"), bits("skin", "hair"), bits("hat", "beard")]
    )
    sets = sets.int()
    assert plain(sets).tolist() == [False, True, True, False]
    found = answered(read, torch.zeros(4, 5), sets)
    assert found.tolist() == [bits("skin"), bits("glasses"), bits("skin"), bits("hat", "beard")]
    unsure = answered(Favourite("skin", 0.3), torch.zeros(4, 5), sets)
    assert unsure.tolist() == [ALL, bits("glasses"), bits("skin", "hair"), bits("hat", "beard")]


class Favourite:
    """Reads one class everywhere."""

    def __init__(self, name: str, by: float) -> None:
        self.logits = torch.zeros(len(CLASSES))
        self.logits[CLASSES.index(name)] = by

    def __call__(self, seen: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(seen), -1)


def test_rough_outlines_tell_of_what_they_cover_alone(tmp_path: Path) -> None:
    square = [[10, 10], [40, 10], [40, 40], [10, 40]]
    face = [[30, 30], [80, 30], [80, 80], [30, 80]]
    shapes = [("hat", square), ("skin", face)]
    sets = rough_sets(shapes, SIDE)
    assert sets[12, 12] == sets[24, 24] == bits("hat")
    assert sets[45, 45] == FACE
    assert sets[60, 5] == ALL
    Image.new("RGB", (100, 100), (90, 60, 40)).save(tmp_path / "one.png")
    network = new_parser(TINY, pretrained=False)
    seen, known = rough_samples(network, tmp_path, 2, outlines={"one.png": shapes})
    assert len(seen) == len(known) > 100
    assert set(known.tolist()) <= {bits("hat"), FACE}


def test_roughly_outlined_photographs_are_none_that_a_parser_is_measured_on() -> None:
    assert len(read_rough()) > 50
    assert not set(read_rough()) & set(read_hand_labels())
