"""`load_encoder`: recorded outputs of the official encoders, and every way a file can be wrong."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.inversion import load_encoder
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import save_bundle_encoder
from multimodal.inversion.encoders.irse_networks import PyramidEncoder
from multimodal.inversion.encoders.loading import FaceEncoder
from tests import parity_data as parity

TYPES = {
    "e4e_s256": "Encoder4Editing",
    "e4e_s1024": "Encoder4Editing",
    "psp_s256": "GradualStyleEncoder",
    "psp_s1024": "GradualStyleEncoder",
    "psp_w_backbone": "BackboneEncoderUsingLastLayerIntoW",
    "restyle_psp_n14": "BackboneEncoder",
    "restyle_e4e_n18": "ProgressiveBackboneEncoder",
}


def written(folder: Path, net: str, **extra: Any) -> Path:
    """The formula weights of a network in the layout of its public file."""
    state = {f"encoder.{key}": value for key, value in parity.state_dict(net).items()}
    content = {"state_dict": state, "opts": {"encoder_type": TYPES[net]}, **extra}
    path = folder / f"{net}.pt"
    torch.save(content, path)
    return path


def codes(net: str, folder: Path) -> tuple[FaceEncoder, Tensor, Tensor]:
    path = written(folder, net)
    encoder = load_encoder(path, device="cpu")
    image = parity.inputs(net)["image"]
    with torch.no_grad():
        found = encoder(image)
    path.unlink()
    return encoder, image, found


@pytest.mark.parametrize(
    "net",
    [
        "psp_w_backbone",
        "psp_s256",
        "restyle_psp_n14",
        "restyle_e4e_n18",
        pytest.param("e4e_s1024", marks=pytest.mark.slow),
        pytest.param("psp_s1024", marks=pytest.mark.slow),
    ],
)
def test_codes_equal_the_recorded_ones(net: str, tmp_path: Path) -> None:
    _, _, found = codes(net, tmp_path)
    wanted = parity.expected(net)["out"]
    parity.assert_close(found[:, 0] if wanted.ndim == 2 else found, wanted)


def test_e4e_codes_and_progressive_stages_equal_the_recorded_ones(tmp_path: Path) -> None:
    encoder, image, found = codes("e4e_s256", tmp_path)
    wanted = parity.expected("e4e_s256")
    parity.assert_close(found, wanted["out"])
    with torch.no_grad():
        parity.assert_close(encoder.network(image, stage=0), wanted["out_stage_WTraining"])
        parity.assert_close(encoder.network(image, stage=4), wanted["out_stage_Delta4Training"])


@pytest.fixture(scope="module")
def w_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small public file: the single-code encoder with an average code of 14 rows."""
    average = torch.arange(14.0)[:, None].expand(14, 512).clone()
    return written(tmp_path_factory.mktemp("w"), "psp_w_backbone", latent_avg=average)


def changed(path: Path, folder: Path, **changes: Any) -> Path:
    content = {**torch.load(path, weights_only=True), **changes}
    torch.save(content, folder / "changed.pt")
    return folder / "changed.pt"


def test_the_average_code_is_added_where_training_started_from_it(
    w_file: Path, tmp_path: Path
) -> None:
    image = parity.inputs("psp_w_backbone")["image"]
    raw = torch.from_numpy(parity.expected("psp_w_backbone")["out"])
    opts = {"encoder_type": TYPES["psp_w_backbone"], "start_from_latent_avg": False}
    with torch.no_grad():
        added = load_encoder(w_file, "cpu")(image)
        plain = load_encoder(changed(w_file, tmp_path, opts=opts), "cpu")(image)
    assert added.shape == (1, 14, 512)
    torch.testing.assert_close(plain, raw[:, None].expand(1, 14, 512), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        added - plain, torch.arange(14.0)[None, :, None].expand_as(plain), atol=1e-4, rtol=0
    )


def test_options_in_a_namespace_or_missing_are_read(w_file: Path, tmp_path: Path) -> None:
    namespace = argparse.Namespace(output_size=64, start_from_latent_avg=True)
    path = changed(w_file, tmp_path, opts=namespace, latent_avg=torch.zeros(512))
    assert load_encoder(path, "cpu").num_layers == 10
    path = changed(w_file, tmp_path, opts={}, latent_avg=None)
    assert load_encoder(path, "cpu").num_layers == 18


def test_batches_and_other_picture_sizes(w_file: Path) -> None:
    encoder = load_encoder(w_file, "cpu")
    with torch.no_grad():
        for side in (128, 300):
            assert encoder(torch.zeros(2, 3, side, side)).shape == (2, 14, 512)
    with pytest.raises(ValueError, match=r"\[B, 3, 256, 256\]"):
        encoder(torch.zeros(1, 6, 256, 256))


def test_missing_extra_and_misshaped_tensors_are_named(w_file: Path, tmp_path: Path) -> None:
    state = torch.load(w_file, weights_only=True)["state_dict"]
    del state["encoder.body.3.res_layer.1.weight"]
    state["encoder.surplus"] = torch.zeros(1)
    state["encoder.linear.bias"] = torch.zeros(7)
    with pytest.raises(ValueError) as caught:
        load_encoder(changed(w_file, tmp_path, state_dict=state), "cpu")
    for word in ("missing body.3.res_layer.1.weight", "unknown surplus", "linear.bias (7,)"):
        assert word in str(caught.value)


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    cases: dict[str, Any] = {
        "list": [1, 2],
        "no encoder": {"state_dict": {"decoder.x": torch.zeros(1)}},
        "ResNet34": {"state_dict": {"encoder.conv1.weight": torch.zeros(64, 6, 7, 7)}},
        "IR-SE50": {"state_dict": {"encoder.linear.weight": torch.zeros(3)}},
    }
    for word, content in cases.items():
        torch.save(content, tmp_path / "bad.pt")
        with pytest.raises(ValueError, match=word):
            load_encoder(tmp_path / "bad.pt", "cpu")


def test_an_unknown_encoder_type_is_refused_with_the_valid_ones(tmp_path: Path) -> None:
    state = {
        "encoder.input_layer.0.weight": torch.zeros(64, 3, 3, 3),
        "encoder.latlayer1.weight": torch.zeros(512, 256, 1, 1),
        "encoder.styles.0.linear.weight": torch.zeros(512, 512),
    }
    torch.save({"state_dict": state, "opts": {"encoder_type": "Magic"}}, tmp_path / "bad.pt")
    with pytest.raises(ValueError, match=r"'Magic' is not one of Encoder4Editing, Gradual"):
        load_encoder(tmp_path / "bad.pt", "cpu")


def test_web_pages_and_pickles_with_code_are_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.pt"
    page.write_text("<!DOCTYPE html><html>quota exceeded</html>")
    with pytest.raises(ValueError, match="web page"):
        load_encoder(page, "cpu")

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match="not a readable encoder"):
        load_encoder(tmp_path / "evil.pt", "cpu")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(FileNotFoundError, match="no encoder 'nowhere'"):
        load_encoder("nowhere", "cpu")


def test_e4e_stage_zero_is_the_base_code_on_every_row() -> None:
    with torch.device("meta"):
        network = PyramidEncoder(14, progressive=True)
        assert network(torch.zeros(1, 3, 256, 256), stage=0).shape == (1, 14, 512)


# --- our own encoder -----------------------------------------------------------------------------


@pytest.fixture
def bundle() -> BundleEncoder:
    torch.manual_seed(1)
    config = BundleEncoderConfig(
        num_layers=8, resolution=32, width=16, hidden=16, feedback=True, passes=3
    )
    encoder = BundleEncoder(config).eval()
    for head in encoder.heads:
        torch.nn.init.normal_(head.out.weight, std=0.05)
    return encoder


@pytest.fixture
def generator() -> StyleGAN2:
    torch.manual_seed(2)
    config = StyleGAN2Config(resolution=32, channels=(16, 16, 8, 8))
    return StyleGAN2(config).eval().requires_grad_(False)


def test_a_bundle_encoder_survives_the_disk(
    bundle: BundleEncoder, generator: StyleGAN2, tmp_path: Path
) -> None:
    save_bundle_encoder(bundle, tmp_path)
    loaded = load_encoder(tmp_path, "cpu", generator=generator)
    assert (loaded.passes, loaded.num_layers) == (3, 8)
    images = torch.rand(2, 3, 256, 256) * 2 - 1
    torch.testing.assert_close(loaded(images, passes=1), bundle(images))


def test_passes_correct_the_reconstruction(bundle: BundleEncoder, generator: StyleGAN2) -> None:
    encoder = FaceEncoder(bundle, passes=2).attach(generator)
    images = torch.rand(1, 3, 256, 256) * 2 - 1
    first = bundle(images)
    seen = torch.nn.functional.adaptive_avg_pool2d(generator.synthesize(first), 256)
    torch.testing.assert_close(encoder(images), first + bundle(images, seen))
    torch.testing.assert_close(
        encoder(torch.cat([images, seen], dim=1)), bundle(images, seen), atol=1e-5, rtol=1e-5
    )


def test_passes_without_a_generator_say_what_to_do(bundle: BundleEncoder) -> None:
    with pytest.raises(ValueError, match="attach"):
        FaceEncoder(bundle, passes=2)(torch.zeros(1, 3, 256, 256))


def test_a_generator_with_other_rows_is_refused(bundle: BundleEncoder) -> None:
    other = StyleGAN2(StyleGAN2Config(resolution=16, channels=(8, 8, 8)))
    with pytest.raises(ValueError, match="8 rows"):
        FaceEncoder(bundle).attach(other)


def test_damaged_bundles_are_refused(bundle: BundleEncoder, tmp_path: Path) -> None:
    weights = save_bundle_encoder(bundle, tmp_path)
    description = weights.with_suffix(".json")
    good = json.loads(description.read_text())

    description.write_text(json.dumps({**good, "sha256": "0" * 64}))
    with pytest.raises(ValueError, match="SHA-256"):
        load_encoder(tmp_path, "cpu")
    bad_config = {**good["config"], "num_layers": 10}
    description.write_text(json.dumps({**good, "config": bad_config}))
    with pytest.raises(ValueError, match="misshaped"):
        load_encoder(weights, "cpu")
    description.write_text(json.dumps({**good, "config": {**good["config"], "width": 10**9}}))
    with pytest.raises(ValueError, match="width"):
        load_encoder(weights, "cpu")
    description.write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        load_encoder(weights, "cpu")
    description.unlink()
    with pytest.raises(FileNotFoundError, match=r"encoder\.json"):
        load_encoder(weights, "cpu")


def test_a_generator_inside_the_file_draws_for_the_passes(
    generator: StyleGAN2, bundle: BundleEncoder
) -> None:
    from multimodal.generators.rosinality import to_rosinality
    from multimodal.inversion.encoders.loading import _decoder

    state = to_rosinality(generator.state_dict(), generator.config)
    average = torch.full((8, 512), 0.25)
    inside = _decoder(state, average, Path("restyle.pt"), torch.device("cpu"))
    w_plus = torch.randn(1, 8, 512)
    torch.testing.assert_close(inside.synthesize(w_plus), generator.synthesize(w_plus))
    assert inside.w_avg.eq(0.25).all()
    with pytest.raises(ValueError, match=r"restyle\.pt"):
        _decoder({"input.input": torch.zeros(1)}, None, Path("restyle.pt"), torch.device("cpu"))
