"""The mapping network that is written down as a Gaussian."""

from __future__ import annotations

import pytest
import torch

from multimodal.generators.config import StyleGAN2Config
from multimodal.generators.stylegan2 import MappingNetwork
from recipes.generator.fit_mapping import fit_whitening
from recipes.generator.gaussian_mapping import write_gaussian


def _network(layers: int = 4) -> MappingNetwork:
    config = StyleGAN2Config(32, (8, 8, 8, 8), z_dim=64, w_dim=64, mapping_layers=layers)
    return MappingNetwork(config).requires_grad_(False)


def _codes(count: int = 4000) -> torch.Tensor:
    """A cloud of twelve axes around a point, as flat as those of faces."""
    source = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 64, generator=source) * torch.linspace(1, 0.1, 12)[:, None]
    mean = 3 * torch.randn(64, generator=source)
    return mean + torch.randn(count, 12, generator=source) @ mixing


def test_draws_mean_and_covariance_of_the_codes() -> None:
    network, codes = _network(), _codes()
    found = fit_whitening(codes)
    write_gaussian(network, found.mean, found.axes, found.scale, passed=12)
    drawn = network(torch.randn(8000, 64, generator=torch.Generator().manual_seed(1)))[:, 0]
    assert float((drawn.mean(0) - codes.mean(0)).norm() / codes.std(0).norm()) < 0.1
    wanted, got = torch.cov(codes.T), torch.cov(drawn.T)
    assert float((got - wanted).norm() / wanted.norm()) < 0.1


def test_is_a_line_in_z_wherever_units_suffice() -> None:
    network, codes = _network(), _codes()
    found = fit_whitening(codes)
    write_gaussian(network, found.mean, found.axes, found.scale, passed=12)
    z = torch.randn(100, 64, generator=torch.Generator().manual_seed(2))
    z = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
    line = found.mean + (z * found.scale)[:, :12] @ found.axes[:, :12].T
    error = (network(z)[:, 0] - line).abs().mean(dim=0)
    assert int((error < 1e-3).sum()) >= 52


def test_refuses_a_network_without_room() -> None:
    found = fit_whitening(_codes(200))
    with pytest.raises(ValueError, match="takes three"):
        write_gaussian(_network(2), found.mean, found.axes, found.scale)
