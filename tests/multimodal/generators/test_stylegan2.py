"""The StyleGAN2 network: shapes, values, gradients, noise, hooks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from multimodal.generators.config import StyleGAN2Config, channels_for
from multimodal.generators.modulation import PARITIES, blur_kernel, polyphase, spread, strided_taps
from multimodal.generators.registry import tiny_generator
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.types import Generator


@pytest.fixture(scope="module")
def tiny() -> StyleGAN2:
    return tiny_generator()


@pytest.fixture
def w_plus(tiny: StyleGAN2) -> torch.Tensor:
    return tiny.sample(2, seed=3).w


def test_protocol_and_sizes(tiny: StyleGAN2) -> None:
    assert isinstance(tiny, Generator)
    assert (tiny.resolution, tiny.num_layers, tiny.style_dim) == (32, 8, 32)
    assert tiny.w_avg.shape == (32,)
    assert tiny.device == torch.device("cpu")


@pytest.mark.parametrize("side", [8, 16, 32, 64])
def test_shapes(side: int) -> None:
    channels = channels_for(side, base=128, largest=8)
    model = StyleGAN2(StyleGAN2Config(side, channels, z_dim=8, w_dim=8, mapping_layers=1))
    w_plus = model.mapping(torch.randn(3, 8))
    assert w_plus.shape == (3, model.num_layers, 8)
    image = model(w_plus)
    assert (image.shape, image.dtype) == ((3, 3, side, side), torch.float32)
    assert len(model.styles(w_plus)) == 3 * len(channels) - 1


@pytest.mark.parametrize(
    ("resolution", "channels", "message"),
    [(48, (8,) * 4, "power of two"), (2048, (8,) * 10, "8..1024"), (32, (8, 8), "needs 4")],
)
def test_config_refuses(resolution: int, channels: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StyleGAN2Config(resolution, channels)


def test_published_widths() -> None:
    assert channels_for(1024) == (512, 512, 512, 512, 512, 256, 128, 64, 32)
    assert channels_for(256, base=16384) == (512, 512, 512, 512, 256, 128, 64)
    assert float(blur_kernel().sum()) == pytest.approx(4.0)


def test_truncation(tiny: StyleGAN2) -> None:
    z = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    full, none = tiny.mapping(z), tiny.mapping(z, truncation=0.0)
    assert torch.allclose(none, tiny.w_avg.expand_as(none))
    part = tiny.mapping(z, truncation=0.5, cutoff=3)
    assert torch.allclose(part[:, :3], tiny.w_avg + 0.5 * (full[:, :3] - tiny.w_avg), atol=1e-6)
    assert torch.equal(part[:, 3:], full[:, 3:])


def test_mapping_ignores_the_length_of_z(tiny: StyleGAN2) -> None:
    z = torch.randn(1, 32)
    assert torch.allclose(tiny.mapping(z), tiny.mapping(z * 7), atol=1e-5)


def test_sample_is_seeded_and_prefix_stable(tiny: StyleGAN2) -> None:
    assert torch.allclose(tiny.sample(2, 5).w, tiny.sample(4, 5).w[:2], atol=1e-6)
    assert not torch.equal(tiny.sample(1, 5).w, tiny.sample(1, 6).w)


def test_batch_equals_single(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    both = tiny.synthesize(w_plus)
    assert torch.allclose(both[1:], tiny.synthesize(w_plus[1:]), atol=1e-5)


def test_styles_path_equals_w_path(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    image = tiny.synthesize_styles(tiny.styles(w_plus))
    assert torch.equal(image, tiny.synthesize(w_plus))


def test_inference_and_autograd_paths_agree(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    with torch.no_grad():
        quiet = tiny.synthesize(w_plus)
    with torch.inference_mode():
        quieter = tiny.synthesize(w_plus)
    tracked = tiny.synthesize(w_plus.clone().requires_grad_())
    assert torch.allclose(quiet, tracked, atol=1e-5)
    assert torch.allclose(quieter, tracked, atol=1e-5)


def test_training_weights_draw_the_same(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    other = tiny_generator().requires_grad_(True)
    image = other.synthesize(w_plus)
    assert torch.allclose(image, tiny.synthesize(w_plus), atol=1e-5)
    image.square().mean().backward()
    used = dict(other.synthesis.named_parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in used.values())


def test_changed_weights_are_noticed(w_plus: torch.Tensor) -> None:
    model = tiny_generator()
    before = model.synthesize(w_plus)
    with torch.no_grad():
        model.synthesis.b8.conv0.weight.mul_(-1)
    assert not torch.allclose(before, model.synthesize(w_plus))
    model.load_state_dict(tiny_generator().state_dict())
    assert torch.allclose(before, model.synthesize(w_plus), atol=1e-6)


def test_replaced_weights_are_noticed(w_plus: torch.Tensor) -> None:
    model = tiny_generator()
    before = model.synthesize(w_plus)
    other = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    other["synthesis.b8.conv1.weight"] = -other["synthesis.b8.conv1.weight"]
    model.load_state_dict(other, assign=True)
    model.requires_grad_(False)
    assert not torch.allclose(before, model.synthesize(w_plus))


def test_gradient_of_w_and_s() -> None:
    config = StyleGAN2Config(8, (4, 4), z_dim=4, w_dim=4, mapping_layers=1)
    torch.manual_seed(0)
    model = StyleGAN2(config).double().requires_grad_(False)
    model.dtype = torch.float64
    w_plus = torch.randn(1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model.synthesize, (w_plus,), atol=1e-4)


def test_noise_modes(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    const, none = tiny.synthesize(w_plus), tiny.synthesize(w_plus, noise="none")
    assert not torch.allclose(const, none)
    maps = [m for m in tiny.noise_maps("const") if m is not None]
    assert torch.equal(tiny.synthesize(w_plus, noise=maps), const)
    zeros = [torch.zeros_like(m) for m in maps]
    assert torch.allclose(tiny.synthesize(w_plus, noise=zeros), none, atol=1e-5)
    torch.manual_seed(0)
    one = tiny.synthesize(w_plus, noise="random")
    assert not torch.allclose(one, tiny.synthesize(w_plus, noise="random"))
    with pytest.raises(ValueError, match="'loud' is not one of"):
        tiny.synthesize(w_plus, noise="loud")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="noise maps"):
        tiny.synthesize(w_plus, noise=maps[:2])


def test_noise_takes_gradients(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    maps = [m.clone().requires_grad_() for m in tiny.noise_maps("const") if m is not None]
    tiny.synthesize(w_plus, noise=maps).square().mean().backward()
    assert all(m.grad is not None and m.grad.abs().sum() > 0 for m in maps)


def test_refused_shapes(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \[B, 8, 32\]"):
        tiny.synthesize(w_plus[:, :5])
    with pytest.raises(ValueError, match="style vectors"):
        tiny.synthesize_styles(tiny.styles(w_plus)[:3])


def test_on_features_sees_and_replaces(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    seen: list[tuple[int, tuple[int, ...]]] = []

    def look(index: int, x: torch.Tensor) -> torch.Tensor:
        seen.append((index, tuple(x.shape)))
        return x

    plain = tiny.synthesize(w_plus)
    assert torch.equal(tiny.synthesize(w_plus, on_features=look), plain)
    assert seen[0] == (0, (2, 32, 4, 4))
    assert seen[-1] == (6, (2, 16, 32, 32))
    blank = tiny.synthesize(w_plus, on_features=lambda i, x: torch.zeros_like(x) if i == 6 else x)
    assert not torch.allclose(blank, plain)


def test_kept_features_stay_as_they_were(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []

    def keep(index: int, x: torch.Tensor) -> torch.Tensor:
        kept.append((x, x.clone()))
        return x

    with torch.no_grad():
        tiny.synthesize(w_plus, on_features=keep)
    assert all(torch.equal(x, copy) for x, copy in kept)


def test_bfloat16_is_close(tiny: StyleGAN2, w_plus: torch.Tensor) -> None:
    fast = tiny_generator()
    fast.dtype = torch.bfloat16
    exact, image = tiny.synthesize(w_plus), fast.synthesize(w_plus)
    assert image.dtype == torch.float32
    error = (image - exact).square().mean() / exact.square().mean()
    assert float(error) < 1e-3


def test_clamp() -> None:
    config = StyleGAN2Config(8, (4, 4), z_dim=4, w_dim=4, mapping_layers=1, conv_clamp=0.125)
    model = StyleGAN2(config)
    largest: list[float] = []

    def look(index: int, x: torch.Tensor) -> torch.Tensor:
        largest.append(float(x.detach().abs().max()))
        return x

    model.synthesize(model.sample(1, 0).w, on_features=look)
    assert all(value <= 0.125 for value in largest)


def test_polyphase_is_up_convolution_and_blur() -> None:
    source = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 4, 3, 3, generator=source, dtype=torch.float64)
    x = torch.randn(2, 4, 6, 6, generator=source, dtype=torch.float64)
    blur = blur_kernel().double()
    wide = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    wanted = F.conv2d(wide, blur.expand(5, 1, 4, 4), padding=1, groups=5)
    parts = F.conv2d(x, polyphase(weight, blur).flatten(0, 2), padding=1)
    parts = parts.view(2, 2, 2, 5, 6, 6)
    for row in range(2):
        for column in range(2):
            assert torch.allclose(parts[:, row, column], wanted[:, :, row::2, column::2])


def test_four_plain_convolutions_are_the_transposed_one() -> None:
    source = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 4, 3, 3, generator=source, dtype=torch.float64)
    x = torch.randn(2, 4, 6, 7, generator=source, dtype=torch.float64)
    found = spread(x, [strided_taps(weight, *parity) for parity in PARITIES])
    assert torch.allclose(found, F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))


@pytest.mark.parametrize("frozen", [True, False])
def test_bfloat16_gradient_points_the_same_way(w_plus: torch.Tensor, frozen: bool) -> None:
    model = tiny_generator().requires_grad_(not frozen)
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        model.dtype = dtype
        given = w_plus.clone().requires_grad_()
        (found,) = torch.autograd.grad(model.synthesize(given).square().mean(), given)
        gradients.append(found.flatten())
    assert float(F.cosine_similarity(*gradients, dim=0)) > 0.99


def test_bfloat16_in_phases_draws_the_same() -> None:
    torch.manual_seed(0)
    config = StyleGAN2Config(128, (8,) * 6, z_dim=8, w_dim=8, mapping_layers=1)
    model = StyleGAN2(config).requires_grad_(False)
    w_plus = model.sample(2, seed=0).w
    exact = model.synthesize(w_plus)
    model.dtype = torch.bfloat16
    with torch.no_grad():
        quick = model.synthesize(w_plus)
    tracked = model.synthesize(w_plus.requires_grad_()).detach()
    for image in (quick, tracked):
        assert float((image - exact).square().mean() / exact.square().mean()) < 1e-3
    assert not torch.equal(quick, tracked)  # the two ways round differently
