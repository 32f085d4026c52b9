"""Alphas: what is known stays, strands are found, colours from behind are taken out."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from multimodal.parsing.matting import band, cut_out, foreground, matte

SIDE = 96


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A dark disc with strands before a lit ground, and its true alpha."""
    alpha: np.ndarray = np.zeros((SIDE * 4, SIDE * 4), np.float32)
    cv2.circle(alpha, (192, 192), 90, 1.0, -1, cv2.LINE_AA)
    for turn in np.linspace(0, 2 * np.pi, 28):
        end = (192 + np.array([np.cos(turn), np.sin(turn)]) * 125).astype(int)
        cv2.line(alpha, (192, 192), tuple(int(v) for v in end), 1.0, 3, cv2.LINE_AA)
    alpha = cv2.resize(alpha, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    ground = np.linspace(0.7, 0.9, SIDE)[:, None, None] * (0.6, 0.9, 1.0)
    picture = alpha[..., None] * (0.2, 0.1, 0.05) + (1 - alpha[..., None]) * ground
    return (picture * 255).round().astype(np.uint8), alpha


def test_strands_are_found_that_a_mask_does_not_know() -> None:
    picture, alpha = scene()
    rough = cv2.GaussianBlur(cv2.morphologyEx(alpha, cv2.MORPH_OPEN, np.ones((9, 9))), (0, 0), 2)
    found = matte(picture, rough, rough)
    unknown = band(rough, rough)
    assert unknown.mean() < 0.4
    errors = [np.abs(some - alpha)[unknown].mean() for some in (rough, found)]
    assert errors[1] < 0.6 * errors[0]
    assert set(np.unique(found[~unknown])) <= {0.0, 1.0}


def test_a_sure_mask_without_edges_is_kept() -> None:
    picture = np.full((64, 64, 3), 90, np.uint8)
    assert (matte(picture, np.ones((16, 16)), np.zeros((16, 16))) == 1).all()


def test_larger_pictures_get_their_own_edges() -> None:
    picture, alpha = scene()
    large = cv2.resize(picture, (640, 640), interpolation=cv2.INTER_CUBIC)
    found = matte(large, alpha, alpha)
    assert found.shape == (640, 640)
    assert (
        np.abs(cv2.resize(found, (SIDE, SIDE), interpolation=cv2.INTER_AREA) - alpha).mean() < 0.03
    )


def test_colours_from_behind_are_taken_out() -> None:
    picture, alpha = scene()
    edge = (alpha > 0.2) & (alpha < 0.8)
    true = np.array([51, 25.5, 12.75])
    before, after = (np.abs(p[edge] - true).mean() for p in (picture, foreground(picture, alpha)))
    assert after < 0.5 * before
    grey = Image.fromarray((alpha * 255).astype(np.uint8))
    out = cut_out(Image.fromarray(picture), grey)
    assert out.mode == "RGBA"
    assert np.array_equal(np.asarray(out)[alpha == 1][:, :3], picture[alpha == 1])
