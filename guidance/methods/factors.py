"""Known factors: a wish is read as classes of a face, and those factors of the code are set.

Where a generator was trained on faces whose factors are known, its code holds them as coordinates
along known directions of W (InterFaceGAN, Shen et al. 2020, equation 3, with directions that were
trained instead of found). Words are read by a vocabulary (`guidance.wishes`); what a sound or a
picture asks for is read in CLIP's space, as a sparse sum of the
changes that words for each class stand for (lasso; Tibshirani 1996). A factor is then
not pushed by a fixed step but set: the step is what this face still lacks, so that a bearded man
stays one and a smile is not smiled twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.common import apply_offset, draw, read_options
from guidance.methods.aims import Aim, aims_of, lacking, ways_towards
from guidance.methods.delta import FILE_NAME as NETWORK
from guidance.methods.delta import DeltaEdit
from guidance.methods.factor_moves import BEYOND, FILE_NAME, FactorMoves, Way
from guidance.targets import direction
from guidance.wishes.meaning import load_meaning, load_related
from guidance.wishes.reader import read_wishes
from guidance.wishes.telling import refusal, told
from guidance.wishes.types import Meaning, Sense, Understood, Wish
from guidance.wishes.vocabulary import load_vocabulary
from multimodal.meant import Meant
from multimodal.types import EditRequest, Offset, OnStep, Toolkit

PAINTED = ("eye_color", "hair_dye")
"""Attributes that no code holds, but that a photo can be painted with."""
FELT = "expression: "
"""What classes of a sound are told to who edits a photo begin with."""
SETTLED = 1e-9
"""Change of a coefficient below which the sparse sum is found."""


@dataclass(frozen=True)
class FactorOptions:
    """Settings of one edit.

    Args:
        gain: multiple of what the face lacks.
        gains: the same by class ("expression: smile"), 1 where none is given.
        beside: by class, what words move with it, so that the rest of a face stays as it was: other
            classes, and the share of the way to each.
        network: by class, how much of the delta network's change (`guidance.methods.delta`) is
            added where a sound or a picture asks for that class alone, and the share of the
            factors' own change that stays: the network sees in a photograph what its code may lack.
        again: by class, the share that is added, asked for like that, of what the encoder still
            finds lacking in the drawing of the edit.
        price: of a coefficient in the sparse sum; higher finds fewer classes.
        least: share of the largest coefficient below which a class is not meant.
        least_against: the same for classes that a target moves away from.
        full: share from which a class is meant wholly.
    """

    gain: float = 1.0
    price: float = 0.05
    least: float = 0.3
    least_against: float = 0.6
    full: float = 0.4
    gains: Mapping[str, float] = field(default_factory=dict)
    beside: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    network: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    again: Mapping[str, float] = field(default_factory=dict)


def sparse_sum(target: Tensor, words: Tensor, price: float, rounds: int = 60) -> Tensor:
    """Coefficients `[M]` of a sparse sum of unit vectors `[M, E]` near a unit target `[E]`: the
    minimum of half the squared error plus `price` times the coefficients' sizes, coordinate by
    coordinate."""
    # A few thousand steps of a few numbers each: torch would spend them on calls.
    known, wish = (t.detach().cpu().double().numpy() for t in (words, target))
    gram, like = known @ known.T, known @ wish
    found = np.zeros(len(known))
    for _ in range(rounds):
        before = found.copy()
        for index, own in enumerate(gram.diagonal()):
            rest = like[index] - gram[index] @ found + own * found[index]
            found[index] = np.sign(rest) * max(abs(rest) - price, 0.0) / own
        if np.abs(found - before).max() < SETTLED:
            break
    return torch.from_numpy(found).to(words)


def wanted(
    change: Tensor, words: Tensor, options: FactorOptions, names: Sequence[str] = ()
) -> Tensor:
    """How much of every class a change `[E]` asks for, `[M]` in [-1, 1].

    The largest coefficient counts 1, small ones 0. Nobody asks for a child and an old person in one
    face: of the classes of an attribute ("age: old" and "age: child" in `names`), only the most
    wanted is.
    """
    found = sparse_sum(F.normalize(change, dim=0), words, options.price)
    share = strongest(found, names) / found.abs().max().clamp(min=1e-6)
    least = torch.where(share > 0, options.least, options.least_against)
    share = torch.where(share.abs() >= least, share / options.full, torch.zeros_like(share))
    return share.clamp(-1, 1)


def strongest(found: Tensor, names: Sequence[str]) -> Tensor:
    """Coefficients `[M]` with all positive ones of an attribute but its largest set to zero; names
    read "attribute: class"."""
    out = found.clone()
    attributes = [name.split(": ")[0] for name in names]
    for attribute in set(attributes):
        rows = [i for i, own in enumerate(attributes) if own == attribute]
        best = max(rows, key=lambda i: float(found[i]))
        out[[i for i in rows if i != best and float(found[i]) > 0]] = 0
    return out


class KnownFactors:
    """Known factors as a `Guidance`.

    Args:
        toolkit: the moves are read from `folder/factors.safetensors`.
        moves: moves already loaded.
    """

    name = "factors"

    def __init__(self, toolkit: Toolkit, moves: FactorMoves | None = None) -> None:
        self.toolkit = toolkit
        self._moves = moves
        self._meant: list[Meaning] = []
        self._network: DeltaEdit | None = None

    @property
    def moves(self) -> FactorMoves:
        """The model's factors.

        Raises:
            FileNotFoundError: it has none.
            ValueError: they belong to another generator or CLIP.
        """
        if self._moves is None:
            path = Path(self.toolkit.folder or "") / FILE_NAME
            if self.toolkit.folder is None or not path.is_file():
                raise FileNotFoundError("this model has no known factors: train it on pairs")
            moves = FactorMoves.load(path).to(self.toolkit.generator.device)
            generator = self.toolkit.generator
            fitting = (generator.style_dim, self.toolkit.clip.dim, generator.num_layers)
            if (moves.weight.shape[0], moves.words.shape[1], moves.rows.shape[1]) != fitting:
                raise ValueError(f"{path} belongs to another generator or CLIP")
            self._moves = moves
        return self._moves

    @torch.no_grad()
    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """What this face lacks of what is asked for, in the rows of W+ that hold it.

        Raises:
            ValueError: words of which none means a class of this model.
        """
        options, moves = read_options(FactorOptions, request.options), self.moves
        factors = moves.read(request.latent.w.to(moves.weight)[0]).clamp(-BEYOND, BEYOND)
        name, part = self._alone(request)
        added, kept = options.network.get(name, (0.0, 1.0))
        ways = self._ways(request, factors, options)
        step = self._gone(ways, request.latent.w.to(moves.weight)[0], factors)
        found = Offset(
            w=(options.gain * kept * step)[None].to(request.latent.w),
            styles=self._seen(request, options.gain * added * part),
            meant=self._meant_by(request, factors),
        )
        again = options.gain * options.again.get(name, 0.0) * part
        return found if again == 0 else self._looked_at(found, request, options, again)

    def _alone(self, request: EditRequest) -> tuple[str, float]:
        """The one class that is asked for without words, and how much of it; else ("", 0)."""
        return ("", 0.0) if request.text else self._one_class(request, request.target)

    def _one_class(self, request: EditRequest, target: Tensor | None) -> tuple[str, float]:
        """The one class that a target asks for, and how much of it; else ("", 0)."""
        heard = [] if target is None else self.heard_as(target, request.neutral)
        return heard[0] if len(heard) == 1 and heard[0][1] > 0 else ("", 0.0)

    def _looked_at(
        self, offset: Offset, request: EditRequest, options: FactorOptions, share: float
    ) -> Offset:
        """An edit and a share of what the encoder still finds lacking in its drawing."""
        generator, moves, encoder = self.toolkit.generator, self.moves, self.toolkit.encoder
        if encoder is None or offset.w is None:
            return offset
        drawn = draw(generator, apply_offset(generator, request.latent, offset)).clamp(-1, 1)
        rows = encoder(drawn).to(moves.weight)[0]
        factors = moves.read(rows).clamp(-BEYOND, BEYOND)
        step = self._gone(self._ways(request, factors, options), rows, factors)
        return replace(offset, w=offset.w + (share * step)[None].to(request.latent.w))

    def _seen(self, request: EditRequest, gain: float) -> tuple[Tensor, ...] | None:
        """The delta network's change; None where nothing of it is added, or there is none."""
        folder = self.toolkit.folder
        if gain == 0 or folder is None or not (Path(folder) / NETWORK).is_file():
            return None
        if self._network is None:
            self._network = DeltaEdit(self.toolkit)
        return self._network.offset(replace(request, options={"gain": gain})).styles

    def _meant_by(self, request: EditRequest, factors: Tensor) -> tuple[Meant, ...]:
        """What the words and the sound of a request say, for what the drawing will not."""
        beside = request.beside if request.text else request.target
        shares = (1.0, 1.0)
        if request.text and request.beside is not None:
            shares = (min(1.0, 2 * (1 - request.mix)), min(1.0, 2 * request.mix))
        heard, much = self._one_class(request, beside)
        felt = (Meant(heard, shares[1] * much),) if heard.startswith(FELT) else ()
        if not request.text or not self.reads:
            return felt
        wishes = self.understand(request.text)[0].wishes
        senses = [_sense_of(wish) for wish in wishes]
        amounts = [(-shares[0] if wish.negated else shares[0]) * wish.strength for wish in wishes]
        said = tuple(
            Meant(sense, amount * lacking(sense, self.moves, factors, len(senses) == 1), wish.color)
            for sense, amount, wish in zip(senses, amounts, wishes, strict=True)
        )
        return said + felt

    def _gone(self, ways: list[Way], rows: Tensor, factors: Tensor) -> Tensor:
        """The change of W+ `[L, D]` of a code `[L, D]` that makes up for what it lacks."""
        return self.moves.gone(ways)

    def _ways(self, request: EditRequest, factors: Tensor, options: FactorOptions) -> list[Way]:
        """What is lacking: by words, by the target, or by words and what is beside."""
        if request.text is None or not self.reads:
            return self.moves.ways(factors, self._asked(request, request.target, options))
        if request.beside is None:
            self.check(request.text, request.photo)
        _, aims, _ = self.understand(request.text, options)
        if request.beside is None:
            return ways_towards(aims, factors)
        # Half and half is both wholly, as in the mixture of embeddings.
        shares = (min(1.0, 2 * (1 - request.mix)), min(1.0, 2 * request.mix))
        asked = shares[1] * self._asked(request, request.beside, options)
        words = [replace(aim, share=aim.share * shares[0]) for aim in aims]
        return self.moves.ways(factors, asked) + ways_towards(words, factors)

    def _asked(self, request: EditRequest, target: Tensor, options: FactorOptions) -> Tensor:
        change = direction(target, request.neutral).to(self.moves.words)[0]
        asked = wanted(change, self.moves.words, options, self.moves.names)
        gains = torch.tensor([options.gains.get(name, 1.0) for name in self.moves.names])
        return torch.where(asked > 0, asked * gains.to(asked), asked)

    @property
    def reads(self) -> bool:
        """Are this model's classes those of the vocabulary?"""
        known = {f"{attribute}: {value}" for attribute, value in load_vocabulary().labels}
        return not known.isdisjoint(self.moves.names)

    def understand(
        self, text: str, options: FactorOptions | None = None
    ) -> tuple[Understood, list[Aim], list[Wish]]:
        """What a text says, what is to be set for it, and the wishes that this model cannot do."""
        words = load_vocabulary()
        understood = read_wishes(text, words, self.meaning)
        own = options or FactorOptions()
        drawn = _of_the_whole(understood.wishes)
        return understood, *aims_of(drawn, self.moves, words, own.gains, own.beside)

    def meaning(self, phrase: str, attributes: tuple[str, ...]) -> list[tuple[Sense, float]]:
        """Classes for words that the vocabulary lacks: by WordNet, and where this model's CLIP is
        the one that was fitted to, by its sentence vectors. Loaded when it is first asked."""
        if not self._meant:
            self._meant.append(load_related(load_meaning(self.toolkit.clip)))
        return self._meant[0](phrase, attributes)

    def check(self, text: str, photo: bool = False) -> None:
        """Refuse words of which none means a class of this model, nor what a photo is painted with.

        Raises:
            ValueError: says what is not understood, and what is near it.
        """
        understood, aims, left = self.understand(text) if self.reads else (None, [], [])
        painted = photo and any(wish.attribute in PAINTED for wish in left)
        if understood is not None and not aims and not painted:
            raise ValueError(refusal(understood, left, text, load_vocabulary()))

    def notes(self, request: EditRequest) -> tuple[str, ...]:
        """How the words of a request were understood."""
        if request.text is None or not self.reads:
            return ()
        understood, _, left = self.understand(request.text)
        left = [wish for wish in left if not (request.photo and wish.attribute in PAINTED)]
        return told(understood, left, load_vocabulary())

    def heard_as(self, target: Tensor, neutral: Tensor) -> Sequence[tuple[str, float]]:
        """The classes a target `[1, E]` asks for, and how much of each, the most wanted first."""
        change = direction(target, neutral).to(self.moves.words)[0]
        asked = wanted(change, self.moves.words, FactorOptions(), self.moves.names)
        order = asked.abs().argsort(descending=True).tolist()
        return [(self.moves.names[i], float(asked[i])) for i in order if float(asked[i]) != 0]


def _of_the_whole(wishes: Sequence[Wish]) -> list[Wish]:
    """Wishes without the colours of beards where that of the hair is named: a code holds one."""
    whole = {wish.attribute for wish in wishes if not wish.part}
    return [wish for wish in wishes if not wish.part or wish.attribute not in whole]


def _sense_of(wish: Wish) -> str:
    """A wish as who edits a photo knows it: there a beard has a colour of its own."""
    attribute = "beard_color" if wish.part else wish.attribute
    return f"{attribute}: {wish.value}"
