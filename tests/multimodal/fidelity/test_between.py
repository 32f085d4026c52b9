"""Frames between two planned ones: their edit follows the face, and nothing else changes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from multimodal.faces import align_or_crop
from multimodal.faces.align import FaceTransform
from multimodal.faces.native import native_crop
from multimodal.fidelity import Subject, drawn_of, subject_of
from multimodal.fidelity.between import Key, changed, key_of
from multimodal.fidelity.change import Change
from multimodal.fidelity.colours.tints import apply_tint, apply_tint_quickly, tint_towards
from multimodal.fidelity.plans import Plan, applied, plan_of
from multimodal.fidelity.regions import Mask
from multimodal.meant import Meant

SIDE = 256
MOVED = (6.0, -4.0)


@lru_cache(maxsize=1)
def planned() -> tuple[Subject, Plan, Key]:
    """A photo, the plan of an edit that reddens cheeks, dyes hair and puts glasses on."""
    photo = Image.open(Path(__file__).parent / "photos" / "007.jpg").convert("RGB")
    _, place, _ = align_or_crop(photo, SIDE)
    assert place is not None
    subject = subject_of(photo, place, native_crop(photo, place, SIDE), SIDE)
    before = torch.from_numpy(subject.small).permute(2, 0, 1)[None] * 2 - 1
    after = before.clone()
    after[:, 0, 140:200, 90:170] += 0.3
    drawn = [drawn_of(one, SIDE) for one in (before, after)]
    meant = (Meant("hair_color: red", 1.0, None), Meant("glasses: eyeglasses", 1.0, None))
    plan = plan_of(subject, drawn[0], drawn[1], meant)
    return subject, plan, key_of(subject, plan)


def test_a_planned_frame_is_the_edited_photo() -> None:
    subject, plan, key = planned()
    assert plan.tints
    assert plan.change.covers
    whole = applied(subject, plan).astype(int)
    again = changed(subject.photo, subject.transform, (key, key), 0.0)
    away = np.abs(again - whole).mean(axis=-1)
    assert away.mean() < 0.3  # masks of films are found at half size
    assert np.abs(whole - subject.photo).mean() > 1


def test_a_tint_in_whole_levels_is_the_same_to_one() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (40, 50, 3), np.uint8)
    tint = tint_towards(rng.random((200, 3)), np.log(np.array([0.5, 0.2, 0.1])), share=0.4)
    mask = Mask((5, 4, 45, 36), rng.random((32, 40)).astype(np.float32))
    mask.alpha[:8] = 0
    slow, quick = photo.copy(), photo.copy()
    apply_tint(slow, mask, tint)
    apply_tint_quickly(quick, mask, tint)
    assert np.abs(slow.astype(int) - quick).max() <= 1
    assert np.array_equal(quick[:12], photo[:12])
    assert np.array_equal(quick[:, :5], photo[:, :5])


def test_the_edit_follows_a_face_that_moves_in_its_crop() -> None:
    subject, _, key = planned()
    here = changed(subject.photo, subject.transform, (key, key), 0.0)
    matrix = np.array([[1, 0, MOVED[0]], [0, 1, MOVED[1]]])
    size = subject.photo.shape[1::-1]
    moved = cv2.warpAffine(subject.photo, matrix, size, borderMode=cv2.BORDER_REFLECT_101)
    there = changed(moved, subject.transform, (key, key), 0.5)
    expected = cv2.warpAffine(here, matrix, size, borderMode=cv2.BORDER_REFLECT_101)
    edit = np.abs(here.astype(int) - subject.photo).mean()
    left = np.abs(there.astype(int) - expected).mean()
    assert left < 0.25 * edit


def test_an_edit_of_one_frame_fades_towards_another_without_it() -> None:
    subject, plan, key = planned()
    zero = np.zeros_like(plan.change.summand)
    none = Plan((), (), Change(np.zeros_like(plan.change.motion), zero + 1, zero))
    other = key_of(subject, none)
    steps = [
        np.abs(
            changed(subject.photo, subject.transform, (other, key), t).astype(int) - subject.photo
        )
        for t in (0.0, 0.5, 1.0)
    ]
    assert steps[0].max() == 0
    assert 0.25 * steps[2].mean() < steps[1].mean() < 0.75 * steps[2].mean()


def test_a_face_beyond_the_picture_changes_nothing() -> None:
    subject, _, key = planned()
    quad = np.array(subject.transform.quad) + 5000
    away = FaceTransform(tuple((float(x), float(y)) for x, y in quad), SIDE)  # type: ignore[arg-type]
    assert np.array_equal(changed(subject.photo, away, (key, key), 0.0), subject.photo)
