"""Labels of renders lie on the picture that the renderer draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from multimodal.parsing import CLASSES
from recipes.render.drawing.assets import default_root
from recipes.render.factors import Factors
from recipes.render.labels import render_labels
from recipes.render.scene import SEGMENTS, render

pytestmark = pytest.mark.skipif(not default_root().is_dir(), reason="no MakeHuman assets here")


def test_labels_agree_with_the_segments_of_the_picture() -> None:
    factors = Factors(hair_style="long", glasses="square", expression="laugh", sex=0.05)
    factors = replace(factors, expression_strength=1.0)
    labels, drawn = render_labels(factors, 128), render(factors, 128).segments
    assert labels.shape == drawn.shape
    for name in ("hair", "background", "clothes", "glasses"):
        mine, theirs = labels == CLASSES.index(name), drawn == SEGMENTS.index(name)
        assert (mine & theirs).sum() / (mine | theirs).sum() > 0.8
    for name in ("nose", "lips", "teeth", "mouth", "iris", "neck", "brows"):
        assert (labels == CLASSES.index(name)).sum() > 5


def test_a_beard_and_bare_ears() -> None:
    factors = Factors(sex=0.95, hair_style="bald", beard_style="full", beard_amount=1.0)
    labels = render_labels(factors, 96)
    assert np.isin([CLASSES.index(n) for n in ("beard", "ears")], labels).all()
    assert not (labels == CLASSES.index("hair")).any()


def test_an_impossible_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"16\.\.1024"):
        render_labels(Factors(), 8)
