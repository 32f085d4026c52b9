"""The conditional flow of factors: exact inverse, training on pairs, edits by words' goals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from guidance.common import save_tensors
from guidance.methods.factor_moves import FILE_NAME as FACTORS
from guidance.methods.factor_moves import FactorMoves
from guidance.methods.flow import FILE_NAME, ConditionalFlow, FlowConfig, FlowEdit, load_flow
from guidance.methods.flow import save_flow as save
from guidance.registry import make_guidance
from multimodal.types import EditRequest, Toolkit
from recipes.factors.train_flow import Codes, codes_of, judged, new_flow, train
from recipes.loop import RunConfig, start


def _shaken(config: FlowConfig) -> ConditionalFlow:
    torch.manual_seed(1)
    flow = ConditionalFlow(config).eval().requires_grad_(False)
    for parameter in flow.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    return flow


def _codes(heads: int = 400, bend: float = 0.8) -> tuple[Codes, torch.Tensor]:
    """Codes of six numbers with three factors, one of which acts in a bent way."""
    source = torch.Generator().manual_seed(0)
    weight = 0.3 * torch.randn(6, 3, generator=source)
    rest = 0.1 * torch.randn(heads, 1, 6, generator=source)
    factors = torch.rand(heads, 2, 3, generator=source) * 2 - 1
    w = rest + factors @ weight.T + bend * factors[..., :1].square() * torch.ones(6)
    return Codes(w[:, :, None].expand(-1, -1, 4, -1), factors), weight


def test_the_inverse_is_exact_and_the_volume_is_the_determinant() -> None:
    flow = _shaken(FlowConfig(5, 2, 8, 4))
    w, factors = torch.randn(7, 5), torch.randn(7, 2)
    noise, volume = flow(w, factors)
    torch.testing.assert_close(flow.inverse(noise, factors), w, atol=1e-5, rtol=1e-4)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow(x[None], factors[:1])[0][0], w[0])
    assert float(volume[0]) == pytest.approx(float(jacobian.det().abs().log()), abs=1e-4)
    assert not torch.allclose(flow.inverse(noise, factors + 1), w, atol=1e-2)


def test_training_learns_what_bends_and_resumes(tmp_path: Path) -> None:
    codes, weight = _codes()
    learn, held = codes.split()
    flow = new_flow(learn, weight, hidden=32, couplings=4)
    before = judged(flow, held, weight)
    assert before["explained"] >= before["explained_by_directions"] - 0.05
    train(start(RunConfig(tmp_path, 150, log_every=1000), "1", "cpu"), flow, learn, rate=1e-2)
    train(start(RunConfig(tmp_path, 400, log_every=1000), "1", "cpu"), flow, learn, rate=1e-2)
    after = judged(flow, held, weight)
    assert after["explained"] > before["explained"] + 0.8 * (1 - before["explained"])
    again = load_flow(save(flow, tmp_path / FILE_NAME))
    assert judged(again, held, weight) == after


def test_edits_reach_the_goal(toolkit: Toolkit) -> None:
    dim, rows = toolkit.generator.style_dim, toolkit.generator.num_layers
    source = torch.Generator().manual_seed(0)
    moves = FactorMoves(
        weight=torch.randn(dim, 4, generator=source),
        bias=torch.zeros(4),
        words=F.normalize(torch.randn(2, toolkit.clip.dim, generator=source), dim=-1),
        goals=torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0, 0]]),
        rests=torch.zeros(2, 4),
        masks=torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]]),
        rows=torch.ones(2, rows),
        names=("smile", "beard"),
    )
    assert toolkit.folder is not None
    moves.save(toolkit.folder / FACTORS)
    with pytest.raises(FileNotFoundError, match="no flow of factors"):
        _offset(make_guidance("flow", toolkit), toolkit, moves)
    flow = ConditionalFlow(FlowConfig(dim, 4, 8, 2)).eval().requires_grad_(False)
    flow.linear.copy_(moves.weight)
    save(flow, toolkit.folder / FILE_NAME)
    # An untrained flow is its linear part, and so the same as the directions.
    linear = _offset(make_guidance("flow", toolkit), toolkit, moves)
    plain = _offset(make_guidance("factors", toolkit), toolkit, moves)
    torch.testing.assert_close(linear, plain, atol=1e-4, rtol=1e-4)
    bent = _offset(FlowEdit(toolkit, _shaken(flow.config)), toolkit, moves)
    assert not torch.allclose(bent, plain, atol=1e-2)


def _offset(method, toolkit: Toolkit, moves: FactorMoves) -> torch.Tensor:
    neutral = F.normalize(torch.ones(1, toolkit.clip.dim), dim=-1)
    target = F.normalize(neutral + 0.5 * moves.words[:1], dim=-1)
    found = method.offset(EditRequest(toolkit.generator.sample(1, 3), target, neutral)).w
    assert found is not None
    return found


def test_other_files_and_pictures_are_refused(toolkit: Toolkit, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="style_dim 10000 is not in"):
        FlowConfig(10_000)
    path = tmp_path / FILE_NAME
    save_tensors(path, {"linear": torch.zeros(4, 2)}, {"kind": "flow of factors", "config": {}})
    with pytest.raises(ValueError, match="not a flow of factors of this kind"):
        load_flow(path)

    class Alone:
        folder = tmp_path

        def column(self, name: str) -> list[dict[str, int]]:
            return [{"seed": i} for i in range(8)]

    with pytest.raises(ValueError, match="renders in pairs"):
        codes_of(Alone(), lambda x: x)  # type: ignore[arg-type]
