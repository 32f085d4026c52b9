"""Faces by a caption: a sampled photograph that nearly fits, changed the rest of the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from multimodal import FaceEditor
from multimodal.editing.drawing import captioned
from multimodal.generators.photo_codes import PhotoCodes
from multimodal.types import EditRequest, Offset, OnStep


@dataclass
class ToMean:
    """A method that reads every caption as "the mean code"."""

    mean: torch.Tensor
    name: str = "factors"

    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        return Offset(self.mean - request.latent.w)

    def notes(self, request: EditRequest) -> tuple[str, ...]:
        return ()

    def understand(self, *_: Any) -> None:
        return None

    def check(self, text: str, photo: bool = False) -> None:
        return None

    def heard_as(self, *_: Any) -> tuple[tuple[str, float], ...]:
        return ()

    @property
    def reads(self) -> bool:
        return True


@pytest.fixture
def editor(tmp_path: Path) -> FaceEditor:
    found = FaceEditor.from_pretrained("tiny", device="cpu")
    (tmp_path / "methods.json").write_text('{"auto": "factors"}')
    shape = (30, found.generator.num_layers, found.generator.style_dim)
    codes = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    toolkit = replace(found.toolkit, folder=tmp_path)
    return replace(found, toolkit=toolkit, photographs=PhotoCodes.fit(codes, 8))


def test_the_sample_that_moves_least_is_moved(
    editor: FaceEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert editor.photographs is not None
    tried = editor.photographs.sample(24, 3, 0.7).w
    goal = tried[17] + 0.01
    method = ToMean(goal[None])
    monkeypatch.setattr(captioned, "guidance_of", lambda *_: method)
    seen: list[torch.Tensor] = []
    ask = method.offset

    def offset(request: EditRequest, on_step: OnStep | None = None) -> Offset:
        seen.append(request.latent.w)
        return ask(request)

    method.offset = offset  # type: ignore[method-assign]
    face = editor.generate("anybody", seed=3)
    assert torch.equal(torch.cat(seen), tried)
    torch.testing.assert_close(face.latent.w[0], goal)
    assert face.photo is None


def test_renders_come_from_the_text_encoder(editor: FaceEditor) -> None:
    plain = replace(editor, photographs=None)
    with pytest.raises(ValueError, match="cannot make photographs"):
        plain.generate("a man", look="photo")
    with pytest.raises(ValueError, match="'oil' is not one of"):
        editor.generate("a man", look="oil")
    for one in (plain.generate, editor.generate):
        with pytest.raises((FileNotFoundError, ValueError), match=r"text.encoder"):
            one("a man", look="render")
