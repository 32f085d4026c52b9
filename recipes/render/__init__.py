"""Renders heads with exactly known factors, landmarks, segments and captions from CC0 MakeHuman
assets.
"""

from recipes.render.factors import Factors, sample_factors

__all__ = ["Factors", "sample_factors"]
