"""The parser of faces: shapes, masks, files, whole photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multimodal.faces import FaceTransform
from multimodal.files.weights import WeightsError
from multimodal.parsing import (
    CLASSES,
    COLORS,
    PARTS,
    FaceParser,
    ParserConfig,
    ParserNetwork,
    load_parser,
    save_parser,
)
from multimodal.parsing.classes import class_indices
from multimodal.parsing.guided import guided_enlarge
from multimodal.parsing.network import folded
from multimodal.parsing.parser import painted, shares
from multimodal.parsing.photo import ParsedPhoto


@pytest.fixture(scope="module")
def parser() -> FaceParser:
    """An untrained parser of 64 pixels."""
    torch.manual_seed(0)
    return FaceParser(ParserNetwork(ParserConfig(64, (24, 16))).eval())


def test_every_class_has_a_colour_of_its_own() -> None:
    assert len(set(COLORS)) == len(CLASSES) == 16
    assert all(name in CLASSES for part in PARTS.values() for name in part)


def test_names_of_parts_and_classes() -> None:
    assert class_indices(("mouth",)) == [CLASSES.index("mouth")]
    assert class_indices(("eyes", "hair")) == sorted(map(CLASSES.index, ("eyes", "hair")))
    with pytest.raises(ValueError, match=r"'wings' is not one of .*hair"):
        class_indices(("wings",))


def test_probabilities_sum_to_one(parser: FaceParser) -> None:
    crops = torch.rand(2, 3, 100, 100) * 2 - 1
    found = parser.probabilities(crops, mirror=True)
    assert found.shape == (2, 16, 64, 64)
    torch.testing.assert_close(found.sum(1), torch.ones(2, 64, 64), atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match=r"\[B, 3, H, W\]"):
        parser.probabilities(crops[0])


def test_folding_its_normalisation_changes_no_answer() -> None:
    torch.manual_seed(2)
    network = ParserNetwork(ParserConfig(64, (24, 16))).eval()
    for module in network.trunk.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    picture = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = network(picture)
        after = folded(network)(picture)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.trunk.modules())
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-3)


def test_masks_have_the_size_of_the_picture(parser: FaceParser) -> None:
    crop = torch.rand(1, 3, 96, 96) * 2 - 1
    for soft in (True, False):
        mask = parser.mask(crop, ["hair", "skin"], soft)
        assert mask.shape == (1, 1, 96, 96)
        assert 0 <= float(mask.min()) <= float(mask.max()) <= 1
    labels = parser.labels(crop)
    assert labels.shape == (1, 96, 96)
    assert labels.dtype == torch.uint8
    assert painted(labels[0].numpy()).size == (96, 96)
    assert sum(shares(labels[0].numpy()).values()) == pytest.approx(1, abs=1e-3)


def test_enlarged_masks_follow_the_edge_of_the_picture() -> None:
    guide = torch.full((1, 3, 128, 128), -1.0)
    guide[..., 70:] = 1.0  # the true edge; the small map has it at 64
    small = torch.zeros(1, 1, 32, 32)
    small[..., 16:] = 1.0
    fine = guided_enlarge(small, guide, radius=3)
    row = fine[0, 0, 64]
    assert int(row.diff().argmax()) == 69
    assert float(row.diff().max()) > 0.3  # bilinear steps would be 0.25 at most, at 64
    assert float(row[46]) < 0.1
    assert float(row[80]) > 0.95


def test_a_file_gives_the_same_parser(parser: FaceParser, tmp_path: Path) -> None:
    save_parser(parser.network, tmp_path / "parser.safetensors", torch.float32)
    again = load_parser(tmp_path)
    crop = torch.rand(1, 3, 64, 64) * 2 - 1
    mine, theirs = again.probabilities(crop), parser.probabilities(crop)
    torch.testing.assert_close(mine, theirs, atol=1e-2, rtol=0)  # its normalisation is folded
    (tmp_path / "parser.json").write_text('{"parser": {"side": 65}}')
    with pytest.raises(WeightsError, match="not a parser"):
        load_parser(tmp_path)
    (tmp_path / "parser.json").unlink()
    with pytest.raises(FileNotFoundError, match="beside it"):
        load_parser(tmp_path)


def test_labels_of_a_photo_lie_where_the_square_lay() -> None:
    likely = torch.zeros(1, 16, 64, 64)
    likely[:, 0, :, :32], likely[:, CLASSES.index("hair"), :, 32:] = 1, 1
    photo = Image.new("RGB", (300, 200), "gray")
    place = FaceTransform(((100.0, 50.0), (100.0, 150.0), (200.0, 150.0), (200.0, 50.0)), 100)
    found = ParsedPhoto(photo, Image.new("RGB", (100, 100), "gray"), place, likely)
    labels = found.labels()
    assert labels.shape == (200, 300)
    rows, columns = np.nonzero(labels == CLASSES.index("hair"))
    assert (rows.min(), rows.max()) == (50, 149)
    assert abs(int(columns.min()) - 150) <= 1
    assert columns.max() == 199
    mask = np.asarray(found.mask(["hair"]))
    assert mask.shape == (200, 300)
    assert mask[100, 190] > 250
    assert mask[100, 110] < 5
    assert np.asarray(found.mask(["background"]))[5, 5] == 255


def test_areas_are_shares_of_the_labels(parser: FaceParser) -> None:
    crops = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1
    found = parser.areas(crops)
    assert found.shape == (2, len(CLASSES))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    labels = parser.probabilities(crops)[1].argmax(0)
    np.testing.assert_allclose(found[1, 0], float((labels == 0).float().mean()), atol=1e-6)
