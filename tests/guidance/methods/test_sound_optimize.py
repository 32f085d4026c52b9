"""Sound-guided optimisation: gates share a fixed sum, edits move to the target."""

from __future__ import annotations

import pytest
import torch

from guidance.common import apply_offset, draw
from guidance.methods.sound_optimize import SoundOptimize, row_weights
from guidance.targets import embed_text
from multimodal.types import EditRequest, Offset, Toolkit


def test_row_weights_have_mean_one() -> None:
    torch.testing.assert_close(row_weights(torch.zeros(5)), torch.ones(5))
    assert float(row_weights(torch.randn(7)).mean()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("masking", [True, False])
def test_it_moves_towards_the_target(toolkit: Toolkit, masking: bool) -> None:
    clip, latent = toolkit.clip, toolkit.generator.sample(1, 3)
    target = embed_text(clip, "laughter")
    options = {"steps": 12, "directional": 0.0, "masking": masking}
    request = EditRequest(latent, target, embed_text(clip, "a face"), options=options)

    def similarity(offset: Offset) -> float:
        image = draw(toolkit.generator, apply_offset(toolkit.generator, latent, offset))
        return float((clip.encode_image(image) * target).sum())

    offset = SoundOptimize(toolkit).offset(request)
    assert similarity(offset) > similarity(Offset())
    again = SoundOptimize(toolkit).offset(request)
    assert offset.w is not None
    assert again.w is not None
    assert torch.equal(offset.w, again.w)
