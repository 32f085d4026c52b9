"""How well a code can be edited, by the latent space it was found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.evaluation.measures.goals import SPACE_PROMPTS, prompt
from apps.evaluation.setting import Row, Setting
from guidance.controls.control import IDENTITY_FLOOR
from multimodal.editing.finishing import DRAWING

if TYPE_CHECKING:
    from multimodal.types import Face

METHOD = "direction"
ABOUT = (
    "Faces inverted by the same number of Adam steps in each space, then edited by the same "
    f"{len(SPACE_PROMPTS)} directions (the `{METHOD}` method; one direction serves every code). "
    "`lpips` and `identity` of the reconstruction; `success` of the edits by the judge, `kept`: "
    f"share with an identity cosine of {IDENTITY_FLOOR:.2f} or more to the reconstruction, "
    "`moved`: mean gain of the judged probability of what was asked."
)


@dataclass(frozen=True)
class Coded:
    """A face with a code of a latent space.

    Args:
        space: z, w, w+, p, pn+ or s.
        name: of the sample.
        kind: "render" or "portrait".
        face: inverted there.
    """

    space: str
    name: str
    kind: str
    face: Face


def editability(setting: Setting, coded: Sequence[Coded]) -> list[Row]:
    """One row for each edit that makes sense at each code."""
    rows: list[Row] = []
    config, editor = setting.judge.config, setting.editor
    for index, one in enumerate(coded):
        setting.advance(index, len(coded), "editing codes of every space")
        before = setting.read(editor.reconstruct(one.face))
        for wish in map(prompt, SPACE_PROMPTS):
            if not wish.applies(config, before):
                continue
            result = editor.edit(one.face, text=wish.text, method=METHOD, fidelity=DRAWING)
            after, identity = setting.read(result.after), result.scores.get("identity")
            rows.append(
                {
                    "space": one.space,
                    "kind": one.kind,
                    "face": one.name,
                    "prompt": wish.text,
                    "success": wish.fulfilled(config, after),
                    "kept": None if identity is None else identity >= IDENTITY_FLOOR,
                    "moved": wish.share(config, after) - wish.share(config, before),
                }
            )
    return rows
