"""Editing through an editor: bit-exact zero, determinism, control, replay, generation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from guidance.clip import random_clip
from guidance.controls.control import Attributes
from guidance.controls.edits import Edit, EditList
from guidance.methods.directions import StatisticsConfig, compute_statistics
from guidance.methods.text_encoder import TextEncoder, TextEncoderConfig, save_text_encoder
from multimodal.editing import choosing, editing
from multimodal.editing.drawing import captioned
from multimodal.editing.finishing import Finished
from multimodal.editing.names import check_edit
from multimodal.editing.stacking import Applied, stacked
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.images import to_pil
from multimodal.types import Face, Generator, Offset, Toolkit


@dataclass(frozen=True, eq=False)
class _Editor:
    toolkit: Toolkit
    photographs: None = None

    def generator_for(self, face: Face) -> Generator:
        return self.toolkit.generator

    def reconstruct(self, face: Face) -> Image.Image:
        return to_pil(self.toolkit.generator.synthesize(face.latent.w))

    def finish(
        self, face: Face, drawn: torch.Tensor, fidelity: str = "photo", meant: object = ()
    ) -> Finished:
        image = to_pil(drawn)
        return Finished(image, None if face.photo is None else image.resize(face.photo.size))


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> _Editor:
    torch.manual_seed(0)
    config = StyleGAN2Config(
        resolution=32, channels=(16, 16, 8, 8), z_dim=16, w_dim=16, mapping_layers=2
    )
    generator, clip = StyleGAN2(config).eval().requires_grad_(False), random_clip(0)
    folder = tmp_path_factory.mktemp("model")
    quick = StatisticsConfig(samples=64, images=2, batch=64, fast=False)
    compute_statistics(generator, clip, folder / "directions.safetensors", config=quick)
    torch.manual_seed(1)
    encoder = TextEncoder(TextEncoderConfig(clip.dim, generator.num_layers, generator.style_dim))
    save_text_encoder(encoder, folder / "text_encoder.safetensors", {})
    directions = {
        "age": torch.randn(generator.num_layers, 16),
        "hair_red": torch.randn(generator.num_layers, 16),
    }
    Attributes(directions).save(folder / "attributes.safetensors")
    return _Editor(Toolkit(generator, clip, folder=folder))


@pytest.fixture
def face(editor: _Editor) -> Face:
    latent = editor.toolkit.generator.sample(1, 7)
    return Face(latent, Image.new("RGB", (32, 32)))


def _same(a: Image.Image, b: Image.Image) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("where", [{}, {"region": "mouth"}, {"mask": Image.new("L", (8, 8), 255)}])
def test_strength_zero_is_the_reconstruction(
    editor: _Editor, face: Face, where: dict[str, Any]
) -> None:
    result = editing.edit(editor, face, text="a smile", strength=0.0, **where)
    assert _same(result.after, editor.reconstruct(face))
    assert _same(result.before, editor.reconstruct(face))
    assert _same(editing.apply(editor, face, result.offset, 0.0, **where), editor.reconstruct(face))


def test_strength_changes_need_no_guidance(editor: _Editor, face: Face) -> None:
    result = editing.edit(editor, face, text="a smile", strength=2.0)
    assert not _same(result.after, result.before)
    assert _same(editing.apply(editor, face, result.offset, 2.0), result.after)
    assert not _same(editing.apply(editor, face, result.offset, -2.0), result.after)
    assert {"clip_before", "clip_after", "direction", "seconds", "strength"} <= set(result.scores)


@pytest.mark.parametrize("method", ["direction", "text-encoder", "optimize"])
def test_same_seed_same_picture(editor: _Editor, face: Face, method: str) -> None:
    options = {"steps": 3} if method == "optimize" else {}
    one, two = (
        editing.edit(editor, face, text="a smile", method=method, seed=3, **options)
        for _ in range(2)
    )
    assert _same(one.after, two.after)


def test_regions_limit_the_change(editor: _Editor, face: Face) -> None:
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., :8, :] = 1
    result = editing.edit(editor, face, text="a smile", mask=mask, strength=3.0)
    before, after = np.asarray(result.before), np.asarray(result.after)
    assert np.abs(before[12:].astype(int) - after[12:].astype(int)).max() <= 1
    assert not np.array_equal(before[:6], after[:6])
    with pytest.raises(ValueError, match="not both"):
        editing.edit(editor, face, text="x", mask=mask, region="hair")


def test_keep_and_layers(editor: _Editor, face: Face) -> None:
    result = editing.edit(
        editor, face, text="a smile", method="text-encoder", keep=["age", "hair"], layers=None
    )
    known = Attributes.load(Path(str(editor.toolkit.folder)))
    assert result.offset.w is not None
    for name in ("age", "hair_red"):
        assert abs(float((result.offset.w[0] * known[name]).sum())) < 1e-3
    fine = editing.edit(
        editor, face, text="a smile", method="text-encoder", layers="coarse"
    ).offset.w
    assert fine is not None
    assert float(fine[:, 4:].abs().sum()) == 0
    with pytest.raises(ValueError, match="cannot keep"):
        editing.edit(editor, face, text="a smile", keep=["nose"])


@pytest.mark.parametrize("layers", [[], "", "nose"])
def test_layers_that_name_no_row_are_refused_before_any_work(
    editor: _Editor, face: Face, layers: Any
) -> None:
    told: list[object] = []
    with pytest.raises(ValueError, match="layers"):
        editing.edit(
            editor, face, "a smile", method="optimize", steps=2, layers=layers, on_step=told.append
        )
    assert not told


def test_keeping_identity_shortens_the_edit(editor: _Editor, face: Face) -> None:
    def identity(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x.flatten(1), dim=-1)

    strict = _Editor(replace(editor.toolkit, identity=identity))
    result = editing.edit(strict, face, text="a smile", strength=20.0, keep=["identity"])
    assert result.scores["identity"] >= 0.8
    assert result.scores["strength"] < 20.0


def test_what_cannot_be_kept_is_refused(editor: _Editor, face: Face) -> None:
    for keep in ("identity", ["identity"]):
        with pytest.raises(ValueError, match="no identity network"):
            editing.edit(editor, face, text="a smile", keep=keep)
    with pytest.raises(ValueError, match="'elbow'"):
        editing.edit(editor, face, text="a smile", keep="elbow")
    whole = editing.edit(editor, face, text="a smile")
    assert _same(editing.edit(editor, face, text="a smile", keep=None).after, whole.after)  # type: ignore[arg-type]


def test_names_are_checked_before_any_work(editor: _Editor) -> None:
    check_edit(editor, "direction", "mouth", ["age", "hair"], ["coarse"])
    wrong: list[dict[str, Any]] = [
        {"method": "magic"}, {"region": "elbow"}, {"keep": ["elbow"]}, {"layers": ["elbow"]},
    ]  # fmt: skip
    for given in wrong:
        with pytest.raises(ValueError, match=r"magic|elbow"):
            check_edit(editor, **given)


def test_embed_mixes_and_refuses_nothing(editor: _Editor) -> None:
    clip = editor.toolkit.clip
    text, image = "a smile", torch.zeros(1, 3, 32, 32)
    for given in ({"text": text}, {"image": image}, {"text": text, "image": image, "mix": 0.3}):
        target = editing.embed(editor, **given)  # type: ignore[arg-type]
        assert target.shape == (1, clip.dim)
        torch.testing.assert_close(target.norm(), torch.tensor(1.0))
    torch.testing.assert_close(
        editing.embed(editor, text=text, image=image, mix=0.0), editing.embed(editor, text=text)
    )
    with pytest.raises(ValueError, match="say what is wanted"):
        editing.embed(editor)
    with pytest.raises(ValueError, match="no sound encoder"):
        editing.embed(editor, sound="laugh.wav")
    with pytest.raises(ValueError, match="mix"):
        editing.embed(editor, text=text, mix=2.0)


def test_replay_stacks_edits(editor: _Editor, face: Face, tmp_path: Path) -> None:
    edits = EditList(
        (Edit(text="a smile"), Edit(text="glasses", strength=0.5), Edit(text="x", enabled=False))
    )
    loaded = EditList.load(edits.save(tmp_path / "edits.json"))
    result = editing.replay(editor, face, loaded)
    first = editing.edit(editor, face, text="a smile")
    second = editing.edit(editor, face.with_latent(first.latent), text="glasses", strength=0.5)
    assert _same(result.after, second.after)
    assert _same(result.before, editor.reconstruct(face))
    assert result.scores["edits"] == 2
    with pytest.raises(ValueError, match="no enabled"):
        editing.replay(editor, face, EditList())


def test_an_edit_of_strength_zero_in_a_place_changes_nothing(editor: _Editor, face: Face) -> None:
    edits = EditList((Edit("an old man", strength=0.0, region="mouth"),))
    assert _same(editing.replay(editor, face, edits).after, editor.reconstruct(face))


def test_a_list_may_name_a_mask(editor: _Editor, face: Face, tmp_path: Path) -> None:
    Image.new("L", (32, 32), 255).save(tmp_path / "m.png")
    edits = EditList((Edit("a smile", strength=3.0, mask="m.png"),))
    loaded = EditList.load(edits.save(tmp_path / "edits.json"))
    expected = editing.edit(
        editor, face, text="a smile", strength=3.0, mask=Image.new("L", (32, 32), 255)
    )
    assert _same(editing.replay(editor, face, loaded).after, expected.after)


def test_optimising_keeps_what_lies_outside_a_mask(editor: _Editor, face: Face) -> None:
    seen = []

    def lpips(after: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        seen.append((after - before).detach().abs().amax(dim=(0, 1)))
        return (after - before).square().mean(dim=(1, 2, 3))

    judged = _Editor(replace(editor.toolkit, lpips=lpips))
    left = torch.zeros(1, 1, 32, 32)
    left[..., :16] = 1
    editing.edit(judged, face, text="a smile", method="optimize", mask=left, steps=3)
    outside = [change for change in seen if float(change[:, :16].max()) == 0]
    assert outside, "LPIPS was asked about what lies outside the mask alone"


class _Pasting(_Editor):
    """Shows as the photo what an edit changed of the face it is given."""

    def finish(
        self, face: Face, drawn: torch.Tensor, fidelity: str = "photo", meant: object = ()
    ) -> Finished:
        image = to_pil(drawn)
        return Finished(image, ImageChops.difference(image, self.reconstruct(face)))


def test_a_replayed_photo_and_its_scores_are_of_all_edits(editor: _Editor, face: Face) -> None:
    pasting = _Pasting(editor.toolkit)
    result = editing.replay(
        pasting, face, EditList((Edit(text="a smile"), Edit(text="glasses", strength=0.0)))
    )
    assert result.photo is not None
    assert result.photo.getbbox() is not None, "the last edit alone changed nothing"
    assert _same(result.photo, ImageChops.difference(result.after, result.before))
    alone = editing.edit(editor, face, text="a smile").latent
    moved = editing.edit(editor, face.with_latent(alone), text="glasses", strength=0.0)
    assert result.scores["clip_before"] != pytest.approx(moved.scores["clip_before"], abs=1e-7)


def test_replayed_edits_stay_in_their_places(editor: _Editor, face: Face) -> None:
    mouth = editing.edit(editor, face, text="a smile", strength=3.0, region="mouth")
    masked = Edit(text="a smile", strength=3.0, region="mouth")
    result = editing.replay(editor, face, EditList((masked, Edit(text="glasses", strength=0.0))))
    assert _same(result.after, mouth.after)
    assert not _same(result.after, to_pil(editor.toolkit.generator.synthesize(result.latent.w)))


def test_two_places_do_not_mix(editor: _Editor, face: Face) -> None:
    generator = editor.toolkit.generator
    offset = Offset(
        torch.randn(1, generator.num_layers, 16, generator=torch.Generator().manual_seed(0))
    )
    other = Offset(
        torch.randn(1, generator.num_layers, 16, generator=torch.Generator().manual_seed(1))
    )
    left, right = torch.zeros(2, 1, 1, 32, 32)
    left[..., :16], right[..., 16:] = 1.0, 1.0
    one, two = Applied(offset, 1.0, "left", left), Applied(other, 1.0, "right", right)
    _, both = stacked(generator, face.latent, [one, two])
    _, alone = stacked(generator, face.latent, [one])
    _, swapped = stacked(generator, face.latent, [two, one])
    torch.testing.assert_close(both[..., :16], alone[..., :16])
    torch.testing.assert_close(both, swapped, atol=1e-5, rtol=0)


def test_generate_is_seeded(editor: _Editor) -> None:
    one, same, other = (captioned.generate(editor, "an old man", seed) for seed in (1, 1, 2))
    assert _same(one.aligned, same.aligned)
    assert not _same(one.aligned, other.aligned)


def test_auto_picks_what_the_model_has(editor: _Editor, tmp_path: Path) -> None:
    assert choosing.pick_method(editor.toolkit) == "direction"
    assert choosing.pick_method(replace(editor.toolkit, folder=None)) == "optimize"
    (tmp_path / "methods.json").write_text('{"auto": "text-encoder"}')
    assert choosing.pick_method(replace(editor.toolkit, folder=tmp_path)) == "text-encoder"
    with pytest.raises(ValueError, match="not one of"):
        editing.edit(editor, captioned.generate(editor, "a man"), text="x", method="magic")


def test_measured_options_are_defaults_and_given_ones_win(
    editor: _Editor, face: Face, tmp_path: Path
) -> None:
    folder = Path(str(editor.toolkit.folder))
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = '{"auto": "direction", "options": {"direction": {"alpha": 8.2}}}'
    (tmp_path / "methods.json").write_text(text)
    measured = _Editor(replace(editor.toolkit, folder=tmp_path))
    usual = editing.edit(editor, face, text="a smile", method="direction").offset
    harder = editing.edit(measured, face, text="a smile").offset
    given = editing.edit(measured, face, text="a smile", alpha=4.1).offset
    assert usual.styles is not None
    assert harder.styles is not None
    assert given.styles is not None
    assert torch.allclose(harder.styles[0], 2 * usual.styles[0])
    assert torch.equal(given.styles[0], usual.styles[0])
    assert choosing.model_options(measured.toolkit, "delta") == {}


def test_photo_gets_the_face_back(editor: _Editor, face: Face) -> None:
    whole = replace(face, photo=Image.new("RGB", (50, 40)))
    result = editing.edit(editor, whole, text="a smile")
    assert result.photo is not None
    assert result.photo.size == (50, 40)
