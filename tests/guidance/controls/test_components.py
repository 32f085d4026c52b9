"""Unnamed directions on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guidance.common import save_tensors
from guidance.controls.components import FILES, Components, spread
from multimodal.generators.stylegan2 import StyleGAN2


def components(kind: str = "sefa") -> Components:
    rows = torch.nn.functional.normalize(torch.randn(3, 16), dim=1)
    return Components(kind, rows, torch.tensor([3.0, 2.0, 0.5]))


@pytest.mark.parametrize("kind", FILES)
def test_what_is_saved_comes_back(kind: str, tmp_path: Path) -> None:
    given = components(kind)
    assert given.save(tmp_path) == tmp_path / FILES[kind]
    found = Components.load(tmp_path, kind)
    assert found.kind == kind
    assert torch.equal(found.directions, given.directions)
    assert torch.equal(found.deviations, given.deviations)


def test_strength_one_is_one_deviation_on_every_row() -> None:
    given = components("ganspace")
    offsets = given.offsets(rows=8, count=2)
    assert list(offsets) == ["ganspace 1", "ganspace 2"]
    w = offsets["ganspace 2"].w
    assert w is not None
    assert w.shape == (1, 8, 16)
    torch.testing.assert_close(w.norm(dim=2), torch.full((1, 8), 2.0))
    torch.testing.assert_close(w[0, 5], given.directions[1] * 2)


def test_spread_is_the_deviation_of_codes(generator: StyleGAN2) -> None:
    rows = torch.eye(16)[:4]
    found = spread(generator, rows, seed=1)
    codes = generator.sample(2000, 1, 1.0).w[:, 0]
    torch.testing.assert_close(found, codes.std(dim=0)[:4], rtol=1e-4, atol=1e-6)
    assert torch.equal(found, spread(generator, rows, seed=1))


def test_other_kinds_and_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'magic' is not one of"):
        components("magic")
    with pytest.raises(ValueError, match="'magic' is not one of"):
        Components.load(tmp_path, "magic")
    with pytest.raises(ValueError, match="not \\[K, D\\]"):
        Components("sefa", torch.zeros(16), torch.ones(16))
    with pytest.raises(ValueError, match="not \\[K, D\\]"):
        Components("sefa", torch.zeros(3, 16), torch.ones(2))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"sefa\.safetensors"):
        Components.load(tmp_path, "sefa")
    path = tmp_path / FILES["sefa"]
    path.write_text("not tensors")
    with pytest.raises(ValueError, match="not a readable"):
        Components.load(tmp_path, "sefa")
    rows = {"directions": torch.zeros(2, 16)}
    for about, tensors, message in (
        ({"kind": "ganspace"}, rows, "does not hold"),
        ({"kind": "sefa"}, {"other": torch.zeros(1)}, "does not hold"),
        ({"kind": "sefa"}, {"directions": torch.zeros(())}, "cannot be used"),
        ({"kind": "sefa"}, {**rows, "deviations": torch.ones(3)}, "cannot be used"),
        (["sefa"], rows, "not as an object"),
    ):
        save_tensors(path, tensors, about)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=message):
            Components.load(tmp_path, "sefa")


def test_deviations_may_be_missing(tmp_path: Path) -> None:
    save_tensors(tmp_path / FILES["sefa"], {"directions": torch.eye(4)}, {"kind": "sefa"})
    assert Components.load(tmp_path, "sefa").deviations.tolist() == [1.0] * 4
