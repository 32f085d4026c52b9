"""CLIP wrapper: normalisation, gradients, refusals, saving and loading."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from guidance.clip import (
    CONFIG_NAME,
    OpenClip,
    load_clip,
    quick_gelu,
    random_clip,
    read_config,
    save_clip,
    text_config,
)
from multimodal.types import ClipModel
from tests.resident import grown_mib
from tests.tiny_text import tiny_sentence_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from recipes.clip.clip_model import ClipConfig, new_clip

    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=32)
    return save_clip(new_clip(tiny_sentence_model(tmp_path / "text"), config), tmp_path / "clip")


def test_embeddings_are_unit_vectors_of_the_right_shape(clip: OpenClip) -> None:
    assert isinstance(clip.dim, int)
    images = torch.rand(3, 3, 48, 40) * 2 - 1
    for vectors, count in ((clip.encode_image(images), 3), (clip.encode_text(["a", "b"]), 2)):
        assert vectors.shape == (count, clip.dim)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(count))


def test_preprocessing_matches_open_clips_own(clip: OpenClip) -> None:
    from PIL import Image
    from torchvision.transforms.functional import to_pil_image

    image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    transform = open_clip.image_transform(32, is_train=False)
    expected = transform(
        to_pil_image(image).convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)
    )
    actual = clip.preprocess(image[None].float() / 127.5 - 1)[0]
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def test_out_of_gamut_pixels_count_as_clamped(clip: OpenClip) -> None:
    image = torch.randn(1, 3, 32, 32) * 2
    torch.testing.assert_close(clip.encode_image(image), clip.encode_image(image.clamp(-1, 1)))


def test_image_embedding_has_gradients(clip: OpenClip) -> None:
    image = (torch.rand(1, 3, 40, 40) - 0.5).requires_grad_()
    clip.encode_image(image)[:, 0].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_batches_do_not_mix(clip: OpenClip) -> None:
    images = torch.rand(4, 3, 32, 32) * 2 - 1
    together = clip.encode_image(images)
    torch.testing.assert_close(together[2:3], clip.encode_image(images[2:3]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_empty_text_is_refused(clip: OpenClip, text: str) -> None:
    with pytest.raises(ValueError, match="is empty"):
        clip.encode_text([text])


def test_overlong_text_is_refused(clip: OpenClip) -> None:
    with pytest.raises(ValueError, match="at most 77"):
        clip.encode_text(["smile " * 90])


def test_any_script_is_read(clip: OpenClip) -> None:
    vectors = clip.encode_text(["улыбка", "微笑", "ابتسامة"])
    assert (vectors @ vectors.T).triu(1).max() < 0.9999


def test_wrong_image_shape_is_refused(clip: OpenClip) -> None:
    with pytest.raises(ValueError, match="expected"):
        clip.encode_image(torch.zeros(3, 8, 8))


def test_openai_weights_get_the_activation_they_were_trained_with() -> None:
    assert quick_gelu("ViT-B-32", "openai")
    assert not quick_gelu("ViT-B-32", "laion2b_s34b_b79k")
    assert not quick_gelu("ViT-B-32", "")


def test_load_needs_weights_unless_asked() -> None:
    with pytest.raises(ValueError, match="laion2b"):
        load_clip("ViT-B-32", "cpu")
    with pytest.raises(ValueError, match="not one of"):
        load_clip("ViT-B-32", "cpu", pretrained="nothing")
    with pytest.raises(FileNotFoundError, match="missing"):
        load_clip("ViT-B-32", "cpu", pretrained="missing/file.safetensors")
    with pytest.raises(ValueError, match="neither a folder"):
        load_clip("ViT-Z-99", "cpu")
    with pytest.raises(FileNotFoundError, match="no CLIP in"):
        load_clip(Path("no/such/folder"), "cpu")


def test_bundle_clip_round_trip_from_any_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    first, second = load_clip(folder, "cpu"), load_clip(str(folder), "cpu")
    assert isinstance(first.encode_text(["a smiling man"]), torch.Tensor)
    torch.testing.assert_close(first.encode_text(["old man"]), second.encode_text(["old man"]))
    with pytest.raises(ValueError, match="at most 32"):
        first.encode_text(["man " * 40])
    _: ClipModel = first


def test_raw_open_clip_loads_the_bundle_clip(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = load_clip(folder, "cpu")
    monkeypatch.chdir("/")
    save_clip(mine, folder)  # now relative to "/"
    for extra in ({}, {"text_cfg": text_config(folder)}):
        model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}", **extra)
        tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(["a young woman with hair"])
        theirs = F.normalize(model.eval().encode_text(tokens), dim=-1)
        torch.testing.assert_close(
            mine.encode_text(["a young woman with hair"]), theirs, atol=1e-5, rtol=0
        )


def test_loading_a_folder_warns_of_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_clip(folder, "cpu")
    assert not caplog.records


def test_project_sentence_is_the_text_tower_after_pooling(folder: Path, clip: OpenClip) -> None:
    mine = load_clip(folder, "cpu")
    pooled = mine.pooled(["a photo of a face"])
    expected = mine.encode_text(["a photo of a face"])
    torch.testing.assert_close(mine.project_sentence(pooled * 3), expected, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="no sentence space"):
        clip.project_sentence(pooled)


def test_damaged_folders_are_refused(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="holds no"):
        load_clip(folder, "cpu")
    (folder / "open_clip_config.json").write_text("{]")
    with pytest.raises(ValueError, match="not JSON"):
        read_config(folder)


def test_random_clip_follows_its_seed() -> None:
    texts = ["a face"]
    torch.testing.assert_close(random_clip(1).encode_text(texts), random_clip(1).encode_text(texts))
    assert not torch.equal(random_clip(1).encode_text(texts), random_clip(2).encode_text(texts))


def test_saved_weights_are_safetensors(folder: Path) -> None:
    assert "text.proj.0.weight" in load_file(folder / "open_clip_model.safetensors")


def test_half_precision_is_stored_and_loads(folder: Path, tmp_path: Path) -> None:
    mine = load_clip(folder, "cpu")
    save_clip(mine, tmp_path / "half", raw_path="bundle/clip", half=True)
    small, large = (
        p.stat().st_size
        for p in (
            tmp_path / "half" / "open_clip_model.safetensors",
            folder / "open_clip_model.safetensors",
        )
    )
    assert small < 0.6 * large
    again = load_clip(tmp_path / "half", "cpu")
    torch.testing.assert_close(
        again.encode_text(["old man"]), mine.encode_text(["old man"]), atol=5e-3, rtol=0
    )
    text = read_config(tmp_path / "half")["model_cfg"]["text_cfg"]
    assert text["hf_model_name"] == text["hf_tokenizer_name"] == "bundle/clip"


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("text_cfg", "vocab_size", 2**40),
        ("text_cfg", "width", 2**20),
        ("text_cfg", "layers", 10**9),
        ("text_cfg", "context_length", 10**7),
        ("text_cfg", "heads", 0),
        ("vision_cfg", "image_size", 10**7),
        ("vision_cfg", "width", 2**62),
        ("vision_cfg", "patch_size", 0),
        ("vision_cfg", "layers", "x"),
    ],
)
def test_a_configuration_larger_than_its_weights(
    tmp_path: Path, part: str, name: str, value: object
) -> None:
    config = json.loads((save_clip(random_clip(), tmp_path) / CONFIG_NAME).read_text())
    config["model_cfg"][part][name] = value
    (tmp_path / CONFIG_NAME).write_text(json.dumps(config))
    with grown_mib() as grown:
        with pytest.raises(ValueError, match=CONFIG_NAME):
            load_clip(tmp_path, "cpu")
        assert grown() < 400
