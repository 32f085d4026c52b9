"""Wishes as aims: which factors of a face are set, to what, and in which rows of its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from guidance.methods.factor_moves import BEYOND, FactorMoves, Way
from guidance.wishes.colors import shares
from guidance.wishes.types import Wish
from guidance.wishes.vocabulary import Vocabulary

AGES = (("child", 7.0), ("young", 22.0), ("middle", 50.0), ("old", 78.0))
"""Years that the classes of age stand for."""

PUSH = 0.5
"""Of the way between two ends of an attribute, the share that a whole comparative goes at least."""

SHADE = 0.5
"""How far a colour's goal follows the very colour, not just its class."""

SEXES = ("sex: female", "sex: male")
BETWEEN, SURELY, UNSURE = 0.75, 0.35, 0.4
"""Photographs of women lie 1.36 whole ways nearer to the one than to the other, men 0.39 (medians
of the training's): where the middle is, how far from it nothing is lacking, over what it fades."""
UNSURELY = 1.0
"""How much further that is for words that name nothing but a sex: codes of men lie up to 1.1
beyond the middle."""


@dataclass(frozen=True)
class Aim:
    """Factors that are to be set.

    Args:
        goal: what they should be, `[A]`.
        mask: which are meant, `[A]`, 0 or 1.
        rows: of W+, in which they are set, `[L]`, 0 or 1.
        share: of the way to the goal; above 1 goes beyond it.
        push: a way that is gone at least, `[A]`, or None: for comparatives, which a face that has
            it already follows too.
        whole: the way from a face that has nothing of it to one that has it, `[A]`, or None.
        beside: what else is moved for every whole way that is gone, so that what nobody asked for
            stays as it was.
    """

    goal: Tensor
    mask: Tensor
    rows: Tensor
    share: float = 1.0
    push: Tensor | None = None
    whole: Tensor | None = None
    beside: tuple[Way, ...] = ()

    def lacks(self, factors: Tensor) -> Tensor:
        """The change of the factors `[A]` of a face whose code holds `[L, A]`."""
        own = self.rows @ factors / self.rows.sum()
        change = self.share * (self.goal - own)
        if self.push is not None:
            sign = self.push.sign()
            pushed = sign * torch.maximum(sign * change, self.push.abs())
            change = torch.where(sign == 0, change, pushed)
            change = (own + change).clamp(-BEYOND, BEYOND) - own
        return self.mask * change

    def gone(self, change: Tensor) -> float:
        """How many whole ways a change of the factors `[A]` is; 0 where it goes back."""
        if self.whole is None:
            return 0.0
        whole = self.mask * self.whole
        return max(float((change * whole).sum() / whole.square().sum().clamp(min=1e-6)), 0.0)


def aims_of(
    wishes: Sequence[Wish],
    moves: FactorMoves,
    words: Vocabulary,
    gains: Mapping[str, float] | None = None,
    beside: Mapping[str, Mapping[str, float]] | None = None,
) -> tuple[list[Aim], list[Wish]]:
    """The aims of some wishes, the narrower ones first, and the wishes that the model cannot do.

    Args:
        wishes: what is wanted.
        moves: the model's factors.
        words: ends and palettes.
        gains: multiples of what a face lacks, by class; 1 where none is given.
        beside: by class, what is moved with it: other classes, and shares of the way to each.
    """
    aims: list[Aim] = []
    left: list[Wish] = []
    for wish in wishes:
        aim = _aim(wish, moves, words)
        if aim is None:
            left.append(wish)
            continue
        name = f"{wish.attribute}: {wish.value}"
        if not wish.negated:
            aim = replace(
                aim,
                share=aim.share * (gains or {}).get(name, 1.0),
                whole=moves.whole(name),
                beside=_beside((beside or {}).get(name, {}), moves),
            )
        aims.append(aim)
    return sorted(_joined(aims), key=lambda aim: float(aim.mask.sum())), left


def ways_towards(aims: Sequence[Aim], factors: Tensor) -> list[Way]:
    """What is left to the aims, for a face whose code holds the factors `[L, A]`; of two that speak
    of one factor, the first counts, and what is moved beside them leaves alone what they set."""
    free, found, beside = factors.new_ones(factors.shape[1]), [], []
    for aim in aims:
        change = free * aim.lacks(factors)
        found.append(Way(aim.rows, change))
        free = free * (1 - aim.mask)
        beside += [Way(way.rows, aim.gone(change) * way.lacks) for way in aim.beside]
    return [*found, *(Way(way.rows, free * way.lacks) for way in beside)]


def _beside(shares: Mapping[str, float], moves: FactorMoves) -> tuple[Way, ...]:
    """Shares of the ways to some classes; those that the model lacks are left out."""
    known = [name for name in shares if name in moves.names]
    return tuple(
        Way(moves.rows[moves.names.index(name)], shares[name] * moves.whole(name)) for name in known
    )


def lacking(sense: str, moves: FactorMoves, factors: Tensor, alone: bool = False) -> float:
    """How much of a sex a face lacks, in [0, 1], by the factors `[L, A]` of its code; 1 for other
    senses. "An old woman" said of a woman asks for nothing but the age; words that name the sex
    `alone` mean it, unless the face has it even more surely."""
    if sense not in SEXES or any(name not in moves.names for name in SEXES):
        return 1.0
    female, male = (_away(name, moves, factors) for name in SEXES)
    own = (male - female - BETWEEN) * (1 if sense == SEXES[0] else -1)
    surely = SURELY + (UNSURELY if alone else 0.0)
    return min(max((surely - own) / UNSURE, 0.0), 1.0)


def _away(name: str, moves: FactorMoves, factors: Tensor) -> float:
    """How many whole ways a face is from a class."""
    row = moves.names.index(name)
    aim = Aim(moves.goals[row], moves.masks[row], moves.rows[row], whole=moves.whole(name))
    return aim.gone(aim.lacks(factors))


def step_towards(aims: Sequence[Aim], factors: Tensor, moves: FactorMoves) -> Tensor:
    """The change of W+ `[L, D]` that reaches the aims along the directions."""
    return moves.gone(ways_towards(aims, factors))


def _aim(wish: Wish, moves: FactorMoves, words: Vocabulary) -> Aim | None:
    index = _index(moves, wish.attribute, wish.value)
    if index is None:
        return None
    goal = moves.rests[index] if wish.negated else moves.goals[index]
    aim = Aim(goal, moves.masks[index], moves.rows[index], wish.strength)
    if wish.years is not None:
        return _of_years(aim, wish, moves)
    if wish.color is not None and not wish.negated:
        aim = replace(aim, goal=_colored(wish, goal, moves, words))
    if wish.relative:
        return replace(aim, push=_span(wish, index, moves, words) * PUSH * wish.strength)
    return aim


def _index(moves: FactorMoves, attribute: str, value: str) -> int | None:
    name = f"{attribute}: {value}"
    return moves.names.index(name) if name in moves.names else None


def _span(wish: Wish, index: int, moves: FactorMoves, words: Vocabulary) -> Tensor:
    """The way from one end of an attribute to the other, towards what is wished for."""
    start = moves.rests[index]
    ends = words.ends.get(wish.attribute)
    if ends is not None and wish.value in ends:
        other = _index(moves, wish.attribute, ends[0] if wish.value == ends[1] else ends[1])
        start = start if other is None else moves.goals[other]
    return moves.goals[index] - start


def _of_years(aim: Aim, wish: Wish, moves: FactorMoves) -> Aim:
    """An age in years, between those that the classes stand for; or so many years more or less."""
    known = [(years, moves.goals[i]) for name, years in AGES if (i := _index(moves, "age", name))]
    years = wish.years or 0.0
    if wish.relative:
        (low, young), (high, old) = known[1], known[-1]
        push = (old - young) * (years / (high - low))
        return replace(aim, goal=aim.goal, share=0.0, push=push)
    for (low, below), (high, above) in pairwise(known):
        if years <= high:
            return replace(aim, goal=torch.lerp(below, above, max(years - low, 0) / (high - low)))
    return aim


def _colored(wish: Wish, goal: Tensor, moves: FactorMoves, words: Vocabulary) -> Tensor:
    """A class's goal with the colour that was named: the last three factors of a class that has a
    colour are its red, green and blue."""
    assert wish.color is not None
    index = _index(moves, wish.attribute, wish.value)
    assert index is not None
    places = moves.masks[index].nonzero().flatten()[-3:]
    rgb = torch.tensor(wish.color).to(goal)
    out = goal.clone()
    if wish.attribute == "glasses":
        out[places] = rgb
    if wish.attribute == "hair_color":
        palette = words.palettes["hair_color"]
        parts = shares(wish.color, palette)
        usual = sum(
            share * torch.tensor(palette[name]).mean(dim=0).to(goal)
            for name, share in parts.items()
        )
        blend = sum(
            share * moves.goals[i][places]
            for name, share in parts.items()
            if (i := _index(moves, "hair_color", name)) is not None
        )
        out[places] = blend + SHADE * (rgb - usual)
    return out


def _joined(aims: Sequence[Aim]) -> list[Aim]:
    """Aims at the very same factors made one: long hair and wavy hair are long wavy hair."""
    out: list[Aim] = []
    for aim in aims:
        same = next((i for i, one in enumerate(out) if torch.equal(one.mask, aim.mask)), None)
        if same is None:
            out.append(aim)
            continue
        other = out[same]
        rows = torch.maximum(other.rows, aim.rows)
        share = max(other.share, aim.share)
        halves = tuple(Way(way.rows, way.lacks / 2) for way in (*other.beside, *aim.beside))
        whole = other.whole if aim.whole is None else aim.whole
        goal = (other.goal + aim.goal) / 2
        out[same] = Aim(goal, aim.mask, rows, share, whole=whole, beside=halves)
    return out
