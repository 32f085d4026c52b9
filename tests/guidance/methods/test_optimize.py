"""Latent optimisation: schedule parity, improvement, safety."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from guidance.common import apply_offset, draw
from guidance.methods.optimize import Optimize, OptimizeConfig, learning_rate, minimise
from guidance.targets import embed_text
from multimodal.types import EditRequest, Offset, Progress, Toolkit

FAST = {"steps": 12, "directional": 0.0}


@pytest.fixture
def request_(toolkit: Toolkit) -> EditRequest:
    clip = toolkit.clip
    latent = toolkit.generator.sample(1, 3)
    return EditRequest(
        latent, embed_text(clip, "a smile"), embed_text(clip, "a face"), options=FAST
    )


def _similarity(toolkit: Toolkit, request: EditRequest, offset: Offset) -> float:
    image = draw(toolkit.generator, apply_offset(toolkit.generator, request.latent, offset))
    return float((toolkit.clip.encode_image(image) * request.target).sum())


def test_schedule_parity(parity: Path) -> None:
    expected = np.load(parity / "styleclip_get_lr.npz")
    steps = [learning_rate(i / 300, 0.1) for i in range(300)]
    np.testing.assert_allclose(steps, expected["lr_steps"], atol=1e-12, rtol=0)
    times = np.linspace(0, 1, 41)
    np.testing.assert_allclose([learning_rate(t, 1.0) for t in times], expected["lr_t"], atol=1e-12)
    slow = [learning_rate(t, 1.0, 0.5, 0.1) for t in times]
    np.testing.assert_allclose(slow, expected["lr_t_rampdown0.5_rampup0.1"], atol=1e-12)


@pytest.mark.parametrize("space", ["w+", "w", "s"])
def test_it_moves_towards_the_target(toolkit: Toolkit, request_: EditRequest, space: str) -> None:
    request = replace(request_, options={**FAST, "space": space})
    seen: list[Progress] = []
    offset = Optimize(toolkit).offset(request, seen.append)
    assert (offset.w is None) == (space == "s")
    assert _similarity(toolkit, request, offset) > _similarity(toolkit, request, Offset())
    assert [p.step for p in seen] == list(range(1, len(seen) + 1))
    assert {"clip", "l2"} <= set(seen[0].losses)
    if space == "w":
        assert offset.w is not None
        assert torch.equal(offset.w[:, :1].expand_as(offset.w), offset.w)
    if offset.styles is not None:
        assert float(offset.styles[1].abs().sum()) == 0, "toRGB stays"


def test_same_request_same_offset(toolkit: Toolkit, request_: EditRequest) -> None:
    request = replace(request_, options={**FAST, "crops": 2}, seed=4)
    first, second = (Optimize(toolkit).offset(request).w for _ in range(2))
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)


def test_identity_and_mask_terms(toolkit: Toolkit, request_: EditRequest) -> None:
    def embed(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x.flatten(1), dim=-1)

    def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().flatten(1).mean(1)

    mask = torch.zeros(1, 1, 32, 32)
    request = replace(request_, options={**FAST, "mask": mask, "steps": 2})
    with pytest.raises(ValueError, match="needs LPIPS"):
        Optimize(toolkit).offset(request)
    seen: list[Progress] = []
    Optimize(replace(toolkit, identity=embed, lpips=distance)).offset(request, seen.append)
    assert {"identity", "outside"} <= set(seen[-1].losses)


def test_restart_on_nan_keeps_the_best(toolkit: Toolkit, request_: EditRequest) -> None:
    calls = 0

    def objective(image: torch.Tensor, offset: Offset) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        assert offset.w is not None
        loss = image.mean() + (math.nan if calls == 4 else 0.0)
        return {"mean": loss}

    messages: list[str] = []
    config = OptimizeConfig(steps=8)
    offset = minimise(
        toolkit, request_.latent, objective, config, lambda p: messages.append(p.message)
    )
    assert offset.w is not None
    assert offset.w.isfinite().all()
    assert sum("restarted" in m for m in messages) == 1


def test_early_stop(toolkit: Toolkit, request_: EditRequest) -> None:
    steps: list[int] = []
    config = OptimizeConfig(steps=50, patience=3)
    minimise(
        toolkit, request_.latent, lambda image, _: {"flat": image.mean() * 0 + 1}, config,
        lambda p: steps.append(p.step),
    )  # fmt: skip
    assert len(steps) < 10


def test_a_costly_start_is_no_reason_to_stop(toolkit: Toolkit, request_: EditRequest) -> None:
    costs = iter([0.0, 3.0, 4.0, 3.5, *(3.0 - 0.1 * k for k in range(36))])
    offset = minimise(
        toolkit, request_.latent, lambda image, _: {"cost": image.mean() * 1e-4 + next(costs)},
        OptimizeConfig(steps=40, patience=8),
    )  # fmt: skip
    assert not list(costs)
    assert offset.w is not None
    assert float(offset.w.abs().max()) > 0.05


@pytest.mark.parametrize("bad", [{"space": "z"}, {"steps": 0}, {"lr": -1.0}, {"patience": 0}])
def test_bad_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        OptimizeConfig(**bad)  # type: ignore[arg-type]
