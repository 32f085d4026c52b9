"""Known factors: reading what is asked for, and setting it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from guidance.common import conv_indices, save_tensors, style_sizes
from guidance.methods.delta import FILE_NAME as DELTA
from guidance.methods.delta import DeltaConfig, DeltaEdit, DeltaNetwork, save_delta
from guidance.methods.factor_moves import FILE_NAME, FactorMoves
from guidance.methods.factors import FactorOptions, KnownFactors, sparse_sum, wanted
from multimodal.types import EditRequest, Latent, Toolkit


def _moves(dim: int, embedding: int, layers: int = 8) -> FactorMoves:
    """Three classes over four factors: two exclude each other, the third stands alone."""
    source = torch.Generator().manual_seed(0)
    return FactorMoves(
        weight=torch.randn(dim, 4, generator=source),
        bias=torch.tensor([0.1, 0.0, -0.2, 0.0]),
        words=F.normalize(torch.randn(3, embedding, generator=source), dim=-1),
        goals=torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0.5, 0]]),
        rests=torch.zeros(3, 4),
        masks=torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]]),
        rows=torch.ones(3, layers),
        names=("smile", "anger", "beard"),
    )


def _fitting(toolkit: Toolkit) -> FactorMoves:
    generator = toolkit.generator
    return _moves(generator.style_dim, toolkit.clip.dim, generator.num_layers)


def _request(toolkit: Toolkit, moves: FactorMoves, asked: torch.Tensor) -> EditRequest:
    neutral = F.normalize(torch.ones(1, toolkit.clip.dim), dim=-1)
    target = F.normalize(neutral + 0.5 * F.normalize(asked @ moves.words, dim=-1), dim=-1)
    return EditRequest(toolkit.generator.sample(1, 3), target, neutral)


def test_sparse_sum_finds_what_was_added() -> None:
    words = F.normalize(torch.randn(12, 64, generator=torch.Generator().manual_seed(1)), dim=-1)
    target = F.normalize(words[2] + 0.6 * words[7] - 0.5 * words[9], dim=0)
    found = sparse_sum(target, words, 0.05)
    assert set(found.abs().argsort(descending=True)[:3].tolist()) == {2, 7, 9}
    assert found[9] < 0
    assert int((found.abs() > 0.05).sum()) == 3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 0.3))
def test_sparse_sum_is_a_minimum(seed: int, price: float) -> None:
    source = torch.Generator().manual_seed(seed)
    words = F.normalize(torch.randn(6, 16, generator=source), dim=-1).double()
    target = F.normalize(torch.randn(16, generator=source), dim=0).double()

    def cost(weights: torch.Tensor) -> float:
        rest = target - weights @ words
        return float(0.5 * rest.square().sum() + price * weights.abs().sum())

    found = sparse_sum(target, words, price, rounds=300)
    for index in range(6):
        for step in (-0.01, 0.01):
            moved = found.clone()
            moved[index] += step
            assert cost(moved) >= cost(found) - 1e-9


def test_small_coefficients_are_not_meant() -> None:
    words = torch.eye(4)
    asked = wanted(torch.tensor([1.0, 0.35, 0.2, -0.3]), words, FactorOptions(price=0.0))
    assert asked[0] == 1.0
    assert 0.5 < asked[1] < 1.0
    assert asked[2:].tolist() == [0.0, 0.0]


def test_one_class_of_an_attribute_is_meant() -> None:
    names = ("age: child", "age: old", "age: young", "sex: male")
    change = torch.tensor([0.8, 0.7, -0.7, 0.5])
    asked = wanted(change, torch.eye(4), FactorOptions(price=0.0), names)
    assert asked.tolist() == [1.0, 0.0, -1.0, 1.0]


def test_a_factor_is_set_and_not_pushed(toolkit: Toolkit) -> None:
    moves = _fitting(toolkit)
    method = KnownFactors(toolkit, moves)
    request = _request(toolkit, moves, torch.tensor([1.0, 0.0, 0.0]))
    offset = method.offset(request)
    assert offset.w is not None
    assert offset.w.shape == request.latent.w.shape
    moved = request.latent.w + offset.w
    before, after = (moves.read(w.mean(dim=1))[0] for w in (request.latent.w, moved))
    torch.testing.assert_close(after[:2], torch.tensor([1.0, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(after[2:], before[2:], atol=1e-4, rtol=0)
    again = method.offset(replace(request, latent=Latent(moved)))
    assert again.w is not None
    assert float(again.w.abs().max()) < 1e-3, "a smile is not smiled twice"
    half = method.offset(replace(request, options={"gain": 0.5}))
    assert half.w is not None
    torch.testing.assert_close(half.w * 2, offset.w)


def test_the_opposite_is_set_too(toolkit: Toolkit) -> None:
    moves = _fitting(toolkit)
    method = KnownFactors(toolkit, moves)
    request = _request(toolkit, moves, torch.tensor([1.0, 0.0, -1.0]))
    offset = method.offset(request)
    assert offset.w is not None
    after = moves.read((request.latent.w + offset.w).mean(dim=1))[0]
    torch.testing.assert_close(after[:3], torch.tensor([1.0, 0.0, 0.0]), atol=1e-4, rtol=0)
    assert [name for name, _ in method.heard_as(request.target, request.neutral)] == [
        "smile",
        "beard",
    ]


def test_of_classes_that_exclude_each_other_one_counts() -> None:
    moves = _moves(16, 8)
    asked = torch.tensor([0.6, 1.0, 0.0])
    step = moves.step(torch.zeros(8, 4), asked)
    torch.testing.assert_close(step, moves.weight[:, 1].expand(8, 16))


def test_a_class_is_set_in_its_own_rows(toolkit: Toolkit) -> None:
    moves = _fitting(toolkit)
    rows = moves.rows.clone()
    rows[0, :2] = 0
    moves = replace(moves, rows=rows)
    method, request = KnownFactors(toolkit, moves), _request(toolkit, moves, torch.eye(3)[0])
    offset = method.offset(request)
    assert offset.w is not None
    assert not bool(offset.w[:, :2].any())
    moved = request.latent.w + offset.w
    after = moves.read(moved[0, 2:].mean(dim=0))
    torch.testing.assert_close(after[:2], torch.tensor([1.0, 0.0]), atol=1e-4, rtol=0)
    again = method.offset(replace(request, latent=Latent(moved)))
    assert again.w is not None
    assert float(again.w.abs().max()) < 1e-3


def test_files(toolkit: Toolkit, tmp_path: Path) -> None:
    moves = _fitting(toolkit)
    moves.save(tmp_path / FILE_NAME)
    method = KnownFactors(replace(toolkit, folder=tmp_path))
    request = _request(toolkit, moves, torch.tensor([0.0, 0.0, 1.0]))
    expected, found = KnownFactors(toolkit, moves).offset(request), method.offset(request)
    assert expected.w is not None
    assert found.w is not None
    torch.testing.assert_close(found.w, expected.w)
    assert method.moves.names == moves.names


def test_what_no_words_ask_for_is_seen_by_the_delta_network_too(toolkit: Toolkit) -> None:
    sizes = style_sizes(toolkit.generator)
    convs = tuple(sizes[i] for i in conv_indices(len(sizes)))
    network = DeltaNetwork(DeltaConfig(toolkit.clip.dim, convs, hidden=16))
    save_delta(network, Path(str(toolkit.folder)) / DELTA, {})
    moves = _fitting(toolkit)
    smile = _request(toolkit, moves, torch.tensor([1.0, 0.0, 0.0]))
    options = {"network": {"smile": (0.5, 0.8)}}
    method = KnownFactors(toolkit, moves)
    alone, both = method.offset(smile), method.offset(replace(smile, options=options))
    assert alone.styles is None
    expected = DeltaEdit(toolkit).offset(replace(smile, options={"gain": 0.5})).styles
    assert both.styles is not None
    assert expected is not None
    assert alone.w is not None
    torch.testing.assert_close(both.w, 0.8 * alone.w)
    torch.testing.assert_close(torch.cat(both.styles, 1), torch.cat(expected, 1))
    for asked in ([0.0, 0.0, 1.0], [1.0, 0.0, 1.0]):
        beard = _request(toolkit, moves, torch.tensor(asked))
        assert method.offset(replace(beard, options=options)).styles is None


def test_the_drawing_of_an_edit_is_looked_at_again(toolkit: Toolkit) -> None:
    moves = _fitting(toolkit)
    smile = _request(toolkit, moves, torch.tensor([1.0, 0.0, 0.0]))
    again = replace(smile, options={"again": {"smile": 0.5}})
    whole = KnownFactors(toolkit, moves).offset(smile).w
    assert whole is not None
    assert torch.equal(KnownFactors(toolkit, moves).offset(again).w, whole), "no encoder"
    for code, more in ((smile.latent.w, 0.5), (smile.latent.w + whole, 0.0)):
        reader = replace(toolkit, encoder=lambda images, code=code: code)
        found = KnownFactors(reader, moves).offset(again).w
        torch.testing.assert_close(found, (1 + more) * whole, atol=1e-4, rtol=1e-4)


def test_foreign_files(toolkit: Toolkit, tmp_path: Path) -> None:
    request = _request(toolkit, _moves(8, toolkit.clip.dim), torch.tensor([1.0, 0.0, 0.0]))
    with pytest.raises(FileNotFoundError, match="no known factors"):
        KnownFactors(toolkit).offset(request)
    generator = toolkit.generator
    for other in (_moves(8, 5), _moves(generator.style_dim, toolkit.clip.dim, 5)):
        other.save(tmp_path / FILE_NAME)
        with pytest.raises(ValueError, match="another generator or CLIP"):
            KnownFactors(replace(toolkit, folder=tmp_path)).offset(request)
    save_tensors(tmp_path / DELTA, {"a": torch.zeros(1)}, {"kind": "delta network"})
    with pytest.raises(ValueError, match="does not hold factors"):
        FactorMoves.load(tmp_path / DELTA)
    save_tensors(tmp_path / "odd", {"weight": torch.zeros(2, 3)}, {"kind": "factors", "names": []})
    with pytest.raises(ValueError, match="other tensors"):
        FactorMoves.load(tmp_path / "odd")
    whole = _moves(8, 5)
    for bad in (replace(whole, goals=torch.zeros(2, 4)), replace(whole, rows=torch.ones(2, 8))):
        bad.save(tmp_path / "bad")
        with pytest.raises(ValueError, match="3 names"):
            FactorMoves.load(tmp_path / "bad")


def test_a_sound_of_one_expression_tells_who_edits_a_photo(toolkit: Toolkit) -> None:
    moves = replace(_fitting(toolkit), names=("expression: laugh", "expression: angry", "beard"))
    method = KnownFactors(toolkit, moves)
    laugh = method.offset(_request(toolkit, moves, torch.tensor([[1.0, 0, 0]]))).meant
    assert [(one.sense, one.amount > 0) for one in laugh] == [("expression: laugh", True)]
    assert method.offset(_request(toolkit, moves, torch.tensor([[0, 0, 1.0]]))).meant == ()
    both = _request(toolkit, moves, torch.tensor([[1.0, 0, 1.0]]))
    assert method.offset(both).meant == (), "what else is wanted must be drawn"
