"""Do two edits give the same face in either order?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from apps.evaluation.measures.edits import Subject, auto, is_slow, methods
from apps.evaluation.measures.goals import PAIRS
from apps.evaluation.samples import spread
from apps.evaluation.setting import Row, Setting, means
from guidance.common import draw, styles_of
from multimodal.editing.finishing import DRAWING
from multimodal.metrics import mae

if TYPE_CHECKING:
    from multimodal.types import EditResult, Latent

FACES = 10
ABOUT = (
    "Two edits made one after the other, in both orders. `code`: distance of the two codes in S, "
    "as a share of the longer way from the face; `pixels`: mean absolute difference in [-1, 1]; "
    "`lpips`: of the two pictures."
)


def consistency(setting: Setting, faces: Sequence[Subject]) -> list[Row]:
    """Mean distances of the outcomes of two orders, by method, for quick methods."""
    quick = [name for name in methods(setting) if not is_slow(name)] or [auto(setting)]
    rows = [
        _both_orders(setting, subject, pair, method)
        for method in quick
        for subject in spread(faces, FACES)
        for pair in PAIRS
    ]
    return means(rows, ("method",), ("code", "pixels", "lpips"))


def _both_orders(setting: Setting, subject: Subject, pair: tuple[str, str], method: str) -> Row:
    first, second = (_after(setting, subject, order, method) for order in (pair, pair[::-1]))
    generator, lpips = setting.editor.generator, setting.editor.toolkit.lpips
    with torch.no_grad():
        images = [draw(generator, latent).clamp(-1, 1) for latent in (first, second)]
        codes = [_flat(setting, latent) for latent in (subject.face.latent, first, second)]
        far = max(float((code - codes[0]).norm()) for code in codes[1:])
        return {
            "method": method,
            "code": float((codes[1] - codes[2]).norm()) / max(far, 1e-9),
            "pixels": float(mae(*images)),
            "lpips": None if lpips is None else float(lpips(*images)),
        }


def _after(setting: Setting, subject: Subject, texts: Sequence[str], method: str) -> Latent:
    face = subject.face
    for text in texts:
        result: EditResult = setting.editor.edit(
            face, fidelity=DRAWING, text=text, method=method, seed=setting.plan.seed
        )
        face = face.with_latent(result.latent)
    return face.latent


def _flat(setting: Setting, latent: Latent) -> torch.Tensor:
    """All style codes in one row."""
    return torch.cat(styles_of(setting.editor.generator, latent), dim=1)
