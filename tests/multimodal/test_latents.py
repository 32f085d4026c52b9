"""Latent spaces: exact inverses, interpolation, layers, statistics."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimodal import latents
from multimodal.generators.registry import tiny_generator
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.whitening import PNStatistics, estimate_pn, pn_statistics

SEEDS = st.integers(0, 2**31)
FEW = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def tiny() -> StyleGAN2:
    return tiny_generator()


@pytest.fixture(scope="module")
def statistics(tiny: StyleGAN2) -> PNStatistics:
    return estimate_pn(tiny, samples=20_000)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(SEEDS)
@FEW
def test_p_and_w_are_inverses(seed: int) -> None:
    w = drawn(seed, 3, 6, 8) * 4
    assert torch.allclose(latents.p_to_w(latents.w_to_p(w)), w, rtol=1e-6)
    assert torch.allclose(latents.w_to_p(latents.p_to_w(w)), w, rtol=1e-6)


def test_p_slope_is_five() -> None:
    assert latents.w_to_p(torch.tensor([-1.0, 0.0, 2.0])).tolist() == [-5.0, 0.0, 2.0]


def test_z_is_normalised(tiny: StyleGAN2) -> None:
    z = drawn(0, 4, 32) * 9
    unit = latents.normalize_z(z)
    assert torch.allclose(unit.norm(dim=1), torch.full((4,), 32**0.5), atol=1e-3)
    assert torch.allclose(tiny.mapping(unit), tiny.mapping(z), atol=1e-5)


@given(SEEDS)
@FEW
def test_pn_is_an_exact_inverse(statistics: PNStatistics, seed: int) -> None:
    w_plus = drawn(seed, 2, 8, 32)
    assert torch.allclose(statistics.pn_to_w(statistics.w_to_pn(w_plus)), w_plus, atol=1e-4)


def test_pn_is_white(tiny: StyleGAN2, statistics: PNStatistics) -> None:
    w = tiny.mapping(drawn(1, 8000, 32))[:, 0]
    v = statistics.w_to_pn(w)
    assert v.mean(dim=0).abs().max() < 0.06
    covariance = v.t() @ v / len(v)
    assert (covariance - torch.eye(32)).abs().max() < 0.15
    assert statistics.scale.diff().max() <= 0
    assert torch.allclose(
        statistics.components @ statistics.components.t(), torch.eye(32), atol=1e-5
    )
    assert statistics.distance(w).mean() == pytest.approx(1, abs=0.1)


def test_statistics_are_seeded_and_kept(tiny: StyleGAN2, tmp_path: Path) -> None:
    first = pn_statistics(tiny, tmp_path, samples=3000)
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    second = pn_statistics(tiny, tmp_path, samples=3000)
    assert torch.equal(first.components, second.components)
    assert file.stat().st_mtime_ns == before
    pn_statistics(tiny_generator(seed=1), tmp_path, samples=3000)
    assert len(list(tmp_path.iterdir())) == 2
    file.write_bytes(b"cut off")
    assert torch.equal(pn_statistics(tiny, tmp_path, samples=3000).mean, first.mean)


def test_statistics_in_the_cache(tiny, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path / "cache"))
    pn_statistics(tiny, samples=100)
    assert len(list((tmp_path / "cache").glob("pn-*.safetensors"))) == 1


def test_statistics_refuse(tiny: StyleGAN2, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no PN statistics"):
        PNStatistics.load(tmp_path / "none.safetensors")
    PNStatistics(torch.zeros(4), torch.eye(3), torch.ones(4)).save(tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match="shapes do not fit"):
        PNStatistics.load(tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match="at least 2"):
        estimate_pn(tiny, samples=1)


def test_s_of_w_plus_comes_back(tiny: StyleGAN2) -> None:
    w_plus = drawn(5, 2, 8, 32)
    found = latents.styles_to_w_plus(tiny, tiny.styles(w_plus))
    assert found.exact
    assert found.w_plus.shape == w_plus.shape
    again = tiny.styles(found.w_plus)
    assert all(
        torch.allclose(a, b, atol=1e-3) for a, b in zip(again, tiny.styles(w_plus), strict=True)
    )


def test_s_beyond_w_plus_is_flagged(tiny: StyleGAN2) -> None:
    styles = [s + drawn(i, *s.shape) for i, s in enumerate(tiny.styles(drawn(5, 1, 8, 32)))]
    found = latents.styles_to_w_plus(tiny, styles)
    assert not found.exact
    assert float(found.residual) > 0.05
    with pytest.raises(ValueError, match="styles of sizes"):
        latents.styles_to_w_plus(tiny, styles[:-1])


@given(SEEDS, st.floats(0, 1), st.integers(0, 8))
@FEW
def test_truncation_equals_the_mapping(seed: int, psi: float, cutoff: int) -> None:
    tiny = tiny_generator()
    z = drawn(seed, 2, 32)
    ours = latents.truncate(tiny.mapping(z), tiny.w_avg, psi, cutoff)
    assert torch.allclose(ours, tiny.mapping(z, psi, cutoff), atol=1e-5)


@given(SEEDS, st.floats(0, 1))
@FEW
def test_interpolation_ends_and_middle(seed: int, t: float) -> None:
    a, b = drawn(seed, 2, 6, 8), drawn(seed + 1, 2, 6, 8)
    for between in (latents.lerp, latents.slerp):
        assert torch.allclose(between(a, b, 0.0), a, atol=1e-5)
        assert torch.allclose(between(a, b, 1.0), b, atol=1e-5)
        assert torch.allclose(between(a, b, t), between(b, a, 1 - t), atol=1e-4)
    unit_a, unit_b = a / a.norm(dim=-1, keepdim=True), b / b.norm(dim=-1, keepdim=True)
    length = latents.slerp(unit_a, unit_b, t).norm(dim=-1)
    assert torch.allclose(length, torch.ones(2, 6), atol=1e-3)


def test_slerp_moves_at_constant_angle() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    third = latents.slerp(a, b, 1 / 3)
    assert torch.allclose(third, torch.tensor([3**0.5 / 2, 0.5]), atol=1e-6)
    around = latents.slerp(a + 5, b + 5, 1 / 3, centre=torch.full((2,), 5.0))
    assert torch.allclose(around, third + 5, atol=1e-5)


@pytest.mark.parametrize("b", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_slerp_of_degenerate_pairs_is_straight(b: list[float]) -> None:
    a, end = torch.tensor([1.0, 0.0]), torch.tensor(b)
    assert torch.allclose(latents.slerp(a, end, 0.25), torch.lerp(a, end, 0.25), atol=1e-6)


def test_frames() -> None:
    a, b = drawn(0, 1, 4, 8), drawn(1, 1, 4, 8)
    for how in ("lerp", "slerp"):
        path = latents.interpolate(a, b, 5, how, centre=0.5)
        assert path.shape == (5, 4, 8)
        assert torch.allclose(path[:1], a, atol=1e-5)
        assert torch.allclose(path[-1:], b, atol=1e-5)
    with pytest.raises(ValueError, match="'curl' is not one of"):
        latents.interpolate(a, b, 3, "curl")
    with pytest.raises(ValueError, match="at least 2"):
        latents.interpolate(a, b, 1)


@pytest.mark.parametrize("rows", [*range(3, 19)])
def test_groups_partition_the_rows(rows: int) -> None:
    groups = latents.layer_groups(rows)
    parts = [*groups["coarse"], *groups["medium"], *groups["fine"]]
    assert parts == list(groups["all"]) == list(range(rows))
    assert all(len(group) > 0 for group in groups.values())


def test_groups_of_the_published_size() -> None:
    groups = latents.layer_groups(18)
    assert (groups["coarse"], groups["medium"]) == (range(4), range(4, 8))
    assert groups["fine"] == range(8, 18)
    with pytest.raises(ValueError, match="2 rows"):
        latents.layer_groups(2)


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        ("0-3,7", (0, 1, 2, 3, 7)),
        ("coarse", (0, 1, 2, 3)),
        ("coarse, 12-", (0, 1, 2, 3, 12, 13)),
        ("-1", (13,)),
        (5, (5,)),
        ([1, "2-3", "-2"], (1, 2, 3, 12)),
        (None, tuple(range(14))),
        ("all", tuple(range(14))),
    ],
)
def test_layer_specs(spec: latents.LayerSpec, rows: tuple[int, ...]) -> None:
    assert latents.parse_layers(spec, 14) == rows
    mask = latents.layer_mask(spec, 14)
    assert mask.shape == (1, 14, 1)
    assert mask.flatten().nonzero().flatten().tolist() == list(rows)


@pytest.mark.parametrize("spec", ["14", "3-2", "-15", "rough", "", "1-x", [], [""]])
def test_bad_layer_specs(spec: latents.LayerSpec) -> None:
    with pytest.raises(ValueError, match="layers"):
        latents.parse_layers(spec, 14)


def test_mixing() -> None:
    a, b = drawn(0, 2, 14, 8), drawn(1, 1, 14, 8)
    mixed = latents.mix_styles(a, b, "fine")
    assert torch.equal(mixed[:, :8], a[:, :8])
    assert torch.equal(mixed[:, 8:], b[:, 8:].expand(2, -1, -1))
    half = latents.mix_styles(a, b, "0", amount=0.5)
    assert torch.allclose(half[:, 0], (a[:, 0] + b[:, 0]) / 2)
