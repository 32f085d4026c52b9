"""Control: rows, orthogonal keeping, identity limit, feature-space blending, attribute files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guidance.common import apply_offset, draw, offset_styles
from guidance.controls.control import Attributes, blend, identity_limit, keep_attributes, restrict
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.types import Latent, Offset


@pytest.fixture
def latent(generator: StyleGAN2) -> Latent:
    return generator.sample(1, 5)


def test_restrict_touches_chosen_rows_only(generator: StyleGAN2, latent: Latent) -> None:
    offset = Offset(
        torch.ones_like(latent.w), tuple(torch.ones_like(s) for s in generator.styles(latent.w))
    )
    kept = restrict(offset, ["2-3"], generator.num_layers)
    assert kept.w is not None
    assert kept.styles is not None
    assert kept.w[0, :, 0].nonzero().flatten().tolist() == [2, 3]
    rows = [row for _, row in generator.synthesis.style_layers()]
    assert [bool(s.any()) for s in kept.styles] == [row in (2, 3) for row in rows]
    assert restrict(offset, None, generator.num_layers) is offset


def test_keeping_is_orthogonal_in_w(generator: StyleGAN2, latent: Latent) -> None:
    offset = Offset(torch.randn_like(latent.w))
    directions = [torch.randn_like(latent.w[0]) for _ in range(2)]
    kept = keep_attributes(generator, offset, [*directions, directions[0] * 2]).w
    assert kept is not None
    for d in directions:
        assert abs(float((kept[0] * d).sum())) < 1e-3
    assert keep_attributes(generator, offset, []) is offset
    empty = keep_attributes(generator, offset, [torch.zeros_like(directions[0]), *directions]).w
    assert empty is not None
    torch.testing.assert_close(empty, kept, atol=1e-4, rtol=0)
    again = keep_attributes(generator, Offset(kept), directions).w
    assert again is not None
    torch.testing.assert_close(again, kept, atol=1e-5, rtol=0)


def test_keeping_leaves_rows_alone_that_the_edit_may_not_touch(
    generator: StyleGAN2, latent: Latent
) -> None:
    offset = restrict(Offset(torch.randn_like(latent.w)), "coarse", generator.num_layers)
    kept = keep_attributes(generator, offset, [torch.randn_like(latent.w[0])], "coarse").w
    assert offset.w is not None
    assert kept is not None
    assert float(kept[offset.w == 0].abs().max()) == 0
    assert not torch.equal(kept, offset.w)


def test_keeping_is_orthogonal_in_s(generator: StyleGAN2, latent: Latent) -> None:
    styles = generator.styles(latent.w)
    changes = tuple(
        torch.zeros_like(s) if i % 3 == 1 else torch.randn_like(s) for i, s in enumerate(styles)
    )
    direction = torch.randn_like(latent.w[0])
    kept = keep_attributes(generator, Offset(styles=changes), [direction]).styles
    assert kept is not None
    moved = offset_styles(generator, Offset(direction[None]))[0]
    dot = sum(
        float((k * m).sum()) for i, (k, m) in enumerate(zip(kept, moved, strict=True)) if i % 3 != 1
    )
    assert abs(dot) < 1e-3
    assert float(kept[1].abs().sum()) == 0


def test_identity_limit_bisects(generator: StyleGAN2, latent: Latent) -> None:
    def identity(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(x.flatten(1), dim=-1)

    offset = Offset(torch.randn_like(latent.w) * 3)
    limit = identity_limit(generator, latent, offset, 2.0, identity, floor=0.95)
    assert 0 <= limit < 2.0
    image = draw(generator, apply_offset(generator, latent, offset, limit))
    assert float((identity(image) * identity(draw(generator, latent))).sum()) >= 0.95
    assert identity_limit(generator, latent, offset, -1.0, identity, floor=-1.0) == -1.0


def test_blend_changes_the_masked_part_only(generator: StyleGAN2, latent: Latent) -> None:
    after = apply_offset(generator, latent, Offset(torch.randn_like(latent.w)))
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., :10] = 1
    out = blend(generator, latent, [(after, mask)])
    before = draw(generator, latent)
    torch.testing.assert_close(out[..., 10:], before[..., 10:], atol=1e-5, rtol=0)
    assert float((out - before)[..., :10].abs().mean()) > 1e-3
    whole = blend(generator, latent, [(after, torch.ones(1, 1, 32, 32))])
    torch.testing.assert_close(whole, draw(generator, after), atol=1e-4, rtol=0)


def test_attribute_files(tmp_path: Path) -> None:
    known = Attributes({"age": torch.ones(8, 16)})
    known.save(tmp_path / "attributes.safetensors")
    loaded = Attributes.load(tmp_path)
    assert loaded.offset("age").w.shape == (1, 8, 16)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="not one of"):
        loaded["hat"]
