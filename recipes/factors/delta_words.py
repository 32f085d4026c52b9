"""What words ask of the named directions: pairs of a change in text and the step in S it means.

DeltaEdit learns from pictures alone and trusts that texts change as pictures do, which holds
for a CLIP of 400 million pairs and less for a small one. Where a model has directions whose meaning
is known, the words for that meaning are a second, surer kind of pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.common import conv_indices
from multimodal.types import Toolkit
from recipes.words.clip_words import class_prompts

MEANINGS: dict[str, tuple[str, str, str | None]] = {
    "age": ("age", "old", "young"),
    "child": ("age", "child", None),
    "sex": ("sex", "male", "female"),
    "smile": ("expression", "smile", "neutral"),
    "laugh": ("expression", "laugh", "neutral"),
    "sadness": ("expression", "sad", "neutral"),
    "crying": ("expression", "crying", "neutral"),
    "anger": ("expression", "angry", "neutral"),
    "surprise": ("expression", "surprised", "neutral"),
    "fear": ("expression", "afraid", "neutral"),
    "disgust": ("expression", "disgusted", "neutral"),
    "tiredness": ("expression", "tired", "neutral"),
    "eyes_closed": ("expression", "eyes_closed", "neutral"),
    "mouth_open": ("expression", "mouth_open", "neutral"),
    "beard": ("beard", "full", "none"),
    "stubble": ("beard", "stubble", None),
    "moustache": ("beard", "moustache", None),
    "goatee": ("beard", "goatee", None),
    "glasses": ("glasses", "clear", "none"),
    "sunglasses": ("glasses", "sunglasses", "none"),
    "bald": ("hair_style", "bald", None),
    "hair_length": ("hair_length", "long", "short"),
    "hair_afro": ("hair_style", "afro", None),
    "hair_black": ("hair_color", "black", None),
    "hair_brown": ("hair_color", "brown", None),
    "hair_blond": ("hair_color", "blond", None),
    "hair_red": ("hair_color", "red", None),
    "hair_gray": ("hair_color", "gray", None),
    "hair_white": ("hair_color", "white", None),
    "skin_dark": ("skin", "dark", "light"),
    "weight": ("weight", "heavy", "thin"),
    "lipstick": ("lipstick", "yes", "no"),
    "freckles": ("freckles", "yes", "no"),
    "eye_shadow": ("makeup", "yes", None),
}
"""Direction to its attribute, the class it moves towards, and where words name it the one it
leaves."""

NEUTRAL = ("a face", "a person", "a photo of a face", "a portrait of a person")


@dataclass(frozen=True)
class WordMoves:
    """Wordings of every move and the step it stands for.

    Args:
        wordings: unit embeddings `[P, E]` of each of M moves.
        shifts: its step in S of the convolutions, `[M, C]`.
        neutral: embeddings of what a face is before, `[N, E]`.
    """

    wordings: tuple[Tensor, ...]
    shifts: Tensor
    neutral: Tensor

    def draw(self, count: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random moves: unit changes between texts `[count, E]`, and their steps `[count, C]`."""
        moves = torch.randint(len(self.wordings), (count,), generator=source)
        wanted = torch.stack([_one(self.wordings[int(m)], source) for m in moves])
        before = torch.stack([_one(self.neutral, source) for _ in range(count)])
        return F.normalize(wanted - before, dim=-1), self.shifts[moves]


def _one(rows: Tensor, source: torch.Generator) -> Tensor:
    return rows[int(torch.randint(len(rows), (1,), generator=source))]


@torch.no_grad()
def word_moves(toolkit: Toolkit, directions: Mapping[str, Tensor]) -> WordMoves | None:
    """The moves that a model's named directions `[L, D]` stand for; None where none is known.

    Styles are affine in W+, so a direction is the same step in S for every face.
    """
    prompts, generator = class_prompts(), toolkit.generator
    zero = torch.zeros(1, generator.num_layers, generator.style_dim, device=generator.device)
    rest = generator.styles(zero)
    wordings, shifts = [], []
    for name in (n for n in MEANINGS if n in directions):
        moved = generator.styles(zero + directions[name].to(zero))
        steps = [moved[i] - rest[i] for i in conv_indices(len(rest))]
        step = torch.cat(steps, dim=-1)[0].cpu()
        attribute, *ends = MEANINGS[name]
        for value, sign in zip(ends, (1.0, -1.0), strict=True):
            if value is not None:
                texts = list(dict.fromkeys(prompts[attribute][value]))
                wordings.append(toolkit.clip.encode_text(texts).cpu())
                shifts.append(sign * step)
    if not wordings:
        return None
    neutral = toolkit.clip.encode_text(NEUTRAL).cpu()
    return WordMoves(tuple(wordings), torch.stack(shifts), neutral)
