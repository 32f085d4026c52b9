"""Wishes as factors of a face that are set."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from guidance.methods.aims import SEXES, aims_of, lacking, step_towards
from guidance.methods.factor_moves import FactorMoves
from guidance.methods.factors import KnownFactors
from guidance.targets import embed_text
from guidance.wishes.reader import read_wishes
from guidance.wishes.vocabulary import load_vocabulary
from multimodal.types import EditRequest, Toolkit

NAMES = ("age: child", "age: young", "age: middle", "age: old", "expression: smile")
NAMES += ("expression: neutral", "hair_color: red", "hair_color: brown", "glasses: clear")


def _moves(dim: int = 16, embedding: int = 8, layers: int = 8) -> FactorMoves:
    """Age in factor 0, a smile in 1, hair in 2 to 4, glasses in 5 to 8 with their colour last."""
    goals, masks = torch.zeros(len(NAMES), 9), torch.zeros(len(NAMES), 9)
    goals[:4, 0], masks[:4, 0] = torch.tensor([-0.8, -0.4, 0.3, 1.0]), 1
    goals[4, 1], masks[4:6, 1] = 0.8, 1
    goals[6, 2:5], goals[7, 2:5] = torch.tensor([0.6, 0.2, 0.1]), torch.tensor([0.3, 0.2, 0.1])
    masks[6:8, 2:5] = 1
    goals[8, 5], masks[8, 5:9] = 1.0, 1
    source = torch.Generator().manual_seed(0)
    words = torch.randn(len(NAMES), embedding, generator=source)
    weight = torch.linalg.qr(torch.randn(dim, 9, generator=source)).Q
    rest, rows = torch.zeros(len(NAMES), 9), torch.ones(len(NAMES), layers)
    return FactorMoves(weight, torch.zeros(9), words, goals, rest, masks, rows, NAMES)


def _after(text: str, start: float = 0.0) -> torch.Tensor:
    """The factors of a face after a wish."""
    moves, factors = _moves(), torch.full((8, 9), start)
    aims, left = aims_of(read_wishes(text).wishes, moves, load_vocabulary())
    assert not left
    step = step_towards(aims, factors, moves)
    return factors[0] + step[0] @ moves.weight


def test_a_class_is_set() -> None:
    torch.testing.assert_close(_after("a smile")[1], torch.tensor(0.8))
    torch.testing.assert_close(_after("a hint of a smile")[1], torch.tensor(0.4))
    torch.testing.assert_close(_after("not smiling", 0.5)[1], torch.tensor(0.0))


def test_comparatives_move_from_where_a_face_is() -> None:
    bit, plain = _after("a bit older")[0], _after("older")[0]
    assert 0 < bit < plain < 1
    assert _after("older", 1.0)[0] > 1.0, "an old face grows older"
    assert _after("younger")[0] < 0


def test_years() -> None:
    torch.testing.assert_close(_after("50 years old")[0], torch.tensor(0.3))
    torch.testing.assert_close(_after("64 years old")[0], torch.tensor(0.65))
    a, b = _after("10 years older")[0], _after("20 years older")[0]
    torch.testing.assert_close(b, 2 * a)


def test_a_frame_takes_the_colour_that_is_named() -> None:
    after = _after("glasses with #0000ff frames".replace("#0000ff", "blue"))
    assert after[5] == pytest.approx(1.0, abs=1e-4)
    assert after[8] > after[6]


def test_hair_follows_the_very_colour() -> None:
    dark, light = _after("dark red hair"), _after("light red hair")
    assert light[3] > dark[3]


def test_what_the_model_lacks_is_left() -> None:
    aims, left = aims_of(read_wishes("blue eyes, a smile").wishes, _moves(), load_vocabulary())
    assert len(aims) == 1
    assert [wish.attribute for wish in left] == ["eye_color"]


@pytest.fixture
def method(toolkit: Toolkit) -> KnownFactors:
    generator = toolkit.generator
    return KnownFactors(
        toolkit, _moves(generator.style_dim, toolkit.clip.dim, generator.num_layers)
    )


def _request(method: KnownFactors, text: str) -> EditRequest:
    tools = method.toolkit
    target, neutral = embed_text(tools.clip, text), embed_text(tools.clip, "a face")
    return EditRequest(tools.generator.sample(1, 3), target, neutral, text)


def test_the_method_reads_words(method: KnownFactors) -> None:
    request = _request(method, "a smile")
    offset = method.offset(request)
    assert offset.w is not None
    after = method.moves.read((request.latent.w + offset.w).mean(dim=1))[0]
    assert after[1] == pytest.approx(0.8, abs=1e-3)
    assert method.notes(request) == ("understood: a smile",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a vampire", "nothing here means 'vampire'"),
        ("blue eyes", "cannot change the colour of the eyes"),
        ("una mujer vieja", "only English is read"),
        ("a person", "asks for no change"),
    ],
)
def test_words_that_mean_nothing_are_refused(method: KnownFactors, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        method.offset(_request(method, text))


def test_a_sound_beside_words(method: KnownFactors) -> None:
    request = _request(method, "a smile")
    alone = method.offset(request).w
    quiet = method.offset(replace(request, beside=request.target, mix=0.0)).w
    half = method.offset(replace(request, beside=request.target, mix=0.75)).w
    assert alone is not None
    assert quiet is not None
    assert half is not None
    torch.testing.assert_close(alone, quiet)
    assert not torch.allclose(alone, half)
    method.offset(replace(_request(method, "a vampire"), beside=request.target, mix=0.5))


def _beside(text: str, start: float = 0.0) -> torch.Tensor:
    """The factors of a face after a wish, where a smile takes a tenth of the way to old age."""
    moves, factors = _moves(), torch.full((8, 9), start)
    beside = {"expression: smile": {"age: old": 0.1, "a class of another model": 1.0}}
    aims, _ = aims_of(read_wishes(text).wishes, moves, load_vocabulary(), None, beside)
    return factors[0] + step_towards(aims, factors, moves)[0] @ moves.weight


def test_what_else_a_class_changes_is_taken_back() -> None:
    torch.testing.assert_close(_beside("a smile")[:2], torch.tensor([0.1, 0.8]))
    torch.testing.assert_close(_beside("a hint of a smile")[:2], torch.tensor([0.05, 0.4]))
    torch.testing.assert_close(_beside("not smiling", 0.5)[:2], torch.tensor([0.5, 0.0]))


def test_what_is_asked_for_is_not_taken_back() -> None:
    torch.testing.assert_close(_beside("a smiling old person")[:2], torch.tensor([1.0, 0.8]))


def test_a_face_that_has_it_is_left_alone() -> None:
    assert _beside("a smile", 0.8)[0] == pytest.approx(0.8, abs=1e-4)


def test_a_sex_that_a_face_has_is_not_lacking() -> None:
    moves = _moves()
    moves = replace(moves, names=(*SEXES, *NAMES[2:]), goals=moves.goals.clone())
    moves.goals[:2, 0] = torch.tensor([1.0, -1.0])
    for sex in (1.0, -1.0):
        faces = torch.full((8, 9), sex)
        own, other = SEXES if sex > 0 else SEXES[::-1]
        assert lacking(own, moves, faces) < lacking(other, moves, faces)
    assert lacking(SEXES[0], moves, torch.full((8, 9), 1.5)) == 0.0
    assert lacking("age: old", moves, torch.zeros(8, 9)) == 1.0
    assert lacking(SEXES[0], _moves(), torch.zeros(8, 9)) == 1.0, "a model that knows none"
