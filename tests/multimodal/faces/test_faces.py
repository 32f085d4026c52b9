from __future__ import annotations

import itertools
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from multimodal.faces import (
    FaceAligner,
    FaceTransform,
    NoFaceError,
    align,
    align_or_crop,
    cut,
    detect,
    detect_faces,
    ffhq_quad,
    head_pose,
    paste_back,
    pick_face,
)
from multimodal.faces.view import View, part_of, whole_of
from multimodal.files.face_files import _packed, _unpacked

SAMPLES = Path(__file__).with_name("portraits")
"""Synthetic portraits of nobody (CC0, faker-js/assets-person-portrait); what is measured here is theirs."""
WOMAN, MAN = SAMPLES / "01_smiling_woman.jpg", SAMPLES / "04_old_man.jpg"
PROFILE = Path(__file__).with_name("profile.jpg")
"""A head of `recipes.render` (CC0 assets), turned by 75 degrees."""


def photo(path: Path = WOMAN) -> Image.Image:
    return Image.open(path).convert("RGB")


@lru_cache
def points(path: Path = WOMAN) -> np.ndarray:
    return pick_face(detect_faces(photo(path))).landmarks


def difference(a: Image.Image, b: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))


# --- detection ------------------------------------------------------------------------------


def test_every_sample_shows_one_face_with_eyes_above_the_mouth():
    for path in sorted(SAMPLES.glob("*.jpg")):
        (face,) = detect_faces(photo(path))
        marks = face.landmarks
        assert marks.shape == (68, 2)
        assert marks.dtype == np.float32
        assert marks[36:48, 1].mean() < marks[48:, 1].mean()
        assert face.score > 0


def test_a_small_face_in_a_large_photo_is_found():
    scene = Image.new("RGB", (4000, 3000), (120, 130, 140))
    scene.paste(photo().resize((180, 180), Image.Resampling.LANCZOS), (2900, 1700))
    face = pick_face(detect_faces(scene))
    x, y = face.landmarks.mean(axis=0)
    assert 2900 < x < 3080
    assert 1700 < y < 1880


@pytest.mark.parametrize("scale", [0.4, 3.0])
def test_points_do_not_depend_on_the_photos_size(scale):
    small = photo()
    size = (round(small.width * scale), round(small.height * scale))
    found = pick_face(detect_faces(small.resize(size, Image.Resampling.LANCZOS))).landmarks
    back = (found + 0.5) / scale - 0.5
    assert np.abs(back - points())[17:].mean() < 2.0


def test_the_largest_face_comes_first_and_others_go_by_index():
    page = Image.new("RGB", (600, 400), (120, 130, 140))
    page.paste(photo(MAN).resize((180, 180)), (10, 100))
    page.paste(photo(WOMAN).resize((320, 320)), (260, 40))
    faces = detect_faces(page)
    assert len(faces) == 2
    assert pick_face(faces) is faces[0]
    assert faces[0].area > faces[1].area
    assert pick_face(faces).landmarks[:, 0].mean() > 300 > pick_face(faces, 1).landmarks[:, 0].max()
    with pytest.raises(NoFaceError, match="0 to 1"):
        pick_face(faces, 2)


def turned(image: Image.Image, angle: float) -> Image.Image:
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=(120, 130, 140))


@pytest.mark.parametrize("angle", [-150, -60, 90, 180])
@pytest.mark.parametrize("path", [WOMAN, MAN])
def test_heads_on_their_side_and_upside_down_are_found(path: Path, angle: int):
    scene = turned(photo(path), angle)
    (face,) = detect_faces(scene)
    view = View(scene, np.array(photo(path).size) / 2, np.ones(2), angle)
    assert np.abs(view.to_photo(face.landmarks) - points(path))[17:].mean() < 3.0
    crop, _, marks = align_or_crop(scene, 128)
    assert marks is not None
    assert abs(head_pose(marks)[2]) < 8
    assert crop.size == (128, 128)


def test_a_turned_face_in_a_large_photo_is_found():
    scene = Image.new("RGB", (1600, 900), (120, 130, 140))
    scene.paste(turned(photo(), 90), (1100, 300))
    face = pick_face(detect_faces(scene))
    left, top, right, bottom = face.box
    assert 1100 < left < right < 1356
    assert 300 < top < bottom < 556


def test_a_profile_is_found_by_the_network():
    assert detect._upright(photo(PROFILE)) == []
    (face,) = detect_faces(photo(PROFILE))
    left, top, right, bottom = face.box
    assert 0 <= left < 130 < right
    assert 40 < top < 130 < bottom
    assert align_or_crop(photo(PROFILE), 64)[0].size == (64, 64)


def test_small_faces_in_a_large_photo_are_all_found():
    scene = Image.new("RGB", (2400, 1500), (120, 130, 140))
    places = [(200, 300), (1100, 700), (2100, 1200)]
    for place in places:
        scene.paste(photo().resize((110, 110), Image.Resampling.LANCZOS), place)
    found = detect_faces(scene)
    assert len(found) == 3, "faces of 55 pixels"
    for x, y in places:
        assert any(x < f.box[0] < f.box[2] < x + 110 and y < f.box[1] < y + 110 for f in found)


def test_tiles_cover_a_photo_and_overlap():
    for length in (100, 1600, 1601, 5000):
        starts = detect._starts(length, 1600, 1360)
        assert starts[0] == 0
        assert starts[-1] + 1600 >= length
        assert all(b - a <= 1360 for a, b in itertools.pairwise(starts))


def test_a_sideways_face_beside_an_upright_one_is_found():
    page = Image.new("RGB", (560, 300), (120, 130, 140))
    page.paste(photo(), (10, 20))
    page.paste(turned(photo(MAN), 90), (290, 20))
    assert len(detect_faces(page, every=True)) == 2


def test_unclear_hits_are_looked_at_again():
    nothing = Image.new("RGB", (300, 300), (90, 90, 90))
    weak = replace(detect_faces(photo())[0], score=0.11)
    assert detect._confirmed(nothing, [weak]) == []
    assert detect._confirmed(photo(), [weak])[0].score > 0.5


def test_a_clear_face_needs_no_other_tries(monkeypatch: pytest.MonkeyPatch):
    for name in ("_turned", "_by_network"):
        monkeypatch.setattr(detect, name, lambda *_, **__: pytest.fail("not needed"))
    assert len(detect_faces(photo())) == 1


@pytest.mark.parametrize("angle", [0, 30, 90, -135])
def test_a_view_knows_where_its_pixels_lie(angle: int):
    image = Image.new("RGB", (200, 120))
    image.paste((255, 255, 255), (148, 38, 153, 43))  # about pixel (150, 40)
    whole = whole_of(image, 2.0, angle)
    part = part_of(image, np.array([150.0, 45.0]), 60.0, 90, angle)
    for view in (whole, part):
        bright = np.asarray(view.image.convert("L"), np.float64)
        bright = np.where(bright > 160, bright, 0)
        rows, columns = np.indices(bright.shape)
        spot = np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum()
        np.testing.assert_allclose(view.to_photo(spot), (150, 40), atol=0.3)


def test_no_face_is_said_plainly():
    empty = Image.new("RGB", (96, 64), (90, 90, 90))
    assert detect_faces(empty) == []
    with pytest.raises(NoFaceError, match="no face found"):
        align_or_crop(empty, 32)
    assert issubclass(NoFaceError, ValueError)


# --- alignment ------------------------------------------------------------------------------


def upright_points() -> np.ndarray:
    """Eyes 40 apart about (100, 90), mouth corners 20 apart about (100, 140)."""
    marks = np.full((68, 2), 100.0)
    marks[36:42], marks[42:48] = (80, 90), (120, 90)
    marks[48], marks[54] = (90, 140), (110, 140)
    return marks


def test_quad_of_an_upright_face_by_hand():
    # Half a side is max(2 * 40, 1.8 * 50) = 90; the middle lies 0.1 * 50 below the eyes.
    wanted = [[10, 5], [10, 185], [190, 185], [190, 5]]
    np.testing.assert_allclose(ffhq_quad(upright_points()), wanted, atol=1e-9)


def test_quad_turns_and_scales_with_the_face():
    angle = np.radians(25)
    turn = 1.7 * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    marks = upright_points()
    np.testing.assert_allclose(ffhq_quad(marks @ turn + 9), ffhq_quad(marks) @ turn + 9, atol=1e-9)


@pytest.mark.parametrize("marks", [np.zeros((5, 2)), np.full((68, 2), np.nan), np.zeros((68, 2))])
def test_impossible_points_are_refused(marks):
    with pytest.raises(ValueError, match="points"):
        ffhq_quad(marks)


def test_aligned_eyes_lie_where_ffhq_has_them():
    turned = photo().rotate(20, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))
    crop, transform, marks = align_or_crop(turned, 256, mode="detect")
    assert crop.size == (256, 256)
    assert transform is not None
    assert marks is not None
    eyes = np.stack([marks[36:42].mean(axis=0), marks[42:48].mean(axis=0)]) / 256
    assert np.abs(eyes - [[0.38, 0.46], [0.62, 0.46]]).max() < 0.04
    assert abs(head_pose(marks)[2]) < 6
    assert abs(head_pose(transform.to_photo(marks))[2] + 20) < 8


def test_cutting_a_whole_square_gives_it_back():
    image = photo()
    n = image.width
    low, high = -0.5, n - 0.5
    whole = FaceTransform(((low, low), (low, high), (high, high), (high, low)), n)
    middle = (slice(24, -24), slice(24, -24))
    assert difference(cut(image, whole), image)[middle].mean() < 2


def test_beyond_the_edge_the_photo_is_mirrored_not_black():
    image = Image.new("RGB", (100, 100), (200, 60, 20))
    crop, _ = align(image, upright_points() - (60, 60), 64)
    assert difference(crop, Image.new("RGB", (64, 64), (200, 60, 20))).max() <= 1


def test_points_go_to_the_crop_and_back():
    _, transform = align(photo(), points(), 96)
    np.testing.assert_allclose(transform.to_photo(transform.to_crop(points())), points(), atol=1e-3)


# --- transforms -----------------------------------------------------------------------------


def test_transform_survives_a_dict_and_a_face_file():
    _, transform = align(photo(), points(), 96)
    assert FaceTransform.from_dict(transform.to_dict()) == transform
    assert _unpacked(json.loads(json.dumps(_packed(transform)))) == transform


@pytest.mark.parametrize(
    "values",
    [
        {"quad": [[0, 0], [0, 1e9], [9, 9], [9, 0]], "size": 8},
        {"quad": [[0, 0], [1, 1], [2, 2], [1, 1]], "size": 8},
        {"quad": [[0, 0], [0, 9], [9, 9]], "size": 8},
        {"quad": [[0, 0], [0, 9], [9, 9], [9, 0]], "size": 0},
        {"quad": [[0, 0], [0, 9], [9, 9], [9, 0]]},
        {"quad": [[0, 0], [0, None], [9, 9], [9, 0]], "size": 8},
    ],
)
def test_impossible_transforms_are_refused(values):
    with pytest.raises(ValueError):
        FaceTransform.from_dict(values)


# --- pasting --------------------------------------------------------------------------------


def test_an_unedited_face_leaves_the_photo_bit_identical():
    image = photo()
    crop, transform = align(image, points(), 128)
    assert difference(paste_back(image, crop, transform, original=crop), image).max() == 0


def test_only_the_edited_part_of_the_photo_changes():
    image = photo()
    crop, transform = align(image, points(), 128)
    edited = np.array(crop)
    edited[50:70, 50:70] = (255, 0, 0)
    pasted = paste_back(image, Image.fromarray(edited), transform, original=crop)
    x, y = transform.to_photo(np.array([[60, 60]]))[0].round().astype(int).tolist()
    assert difference(pasted, image)[y, x].max() > 40
    assert np.abs(np.array(pasted.getpixel((x, y))) - (255, 0, 0)).max() < 30
    far = transform.to_photo(np.array([[100, 30]]))[0].round().astype(int).tolist()
    assert difference(pasted, image)[far[1], far[0]].max() == 0


def test_replacement_shows_the_crop_inside_and_the_photo_outside():
    image = photo()
    crop, transform = align(image, points(), 128)
    pasted = paste_back(image, crop, transform)
    assert difference(pasted, image).mean() < 2
    assert difference(pasted, image)[0, 0].max() == 0


def test_replacement_matches_the_colours_around_the_border():
    image = photo()
    crop, transform = align(image, points(), 128)
    darker = Image.fromarray((np.asarray(crop, np.int16) - 20).clip(0, 255).astype(np.uint8))
    middle = transform.to_photo(np.array([[64, 64]]))[0].round().astype(int)
    there = (slice(middle[1] - 5, middle[1] + 5), slice(middle[0] - 5, middle[0] + 5))
    assert difference(paste_back(image, darker, transform), image)[there].mean() < 8


def test_paste_takes_crops_of_other_sizes_and_photos_cut_off():
    image = photo()
    _, transform = align(image, points(), 64)
    shifted = replace(transform, quad=tuple((x - 150, y) for x, y in transform.quad))
    for size in (32, 512):
        pasted = paste_back(image, Image.new("RGB", (size, size), (0, 255, 0)), shifted)
        assert pasted.size == image.size
    outside = replace(transform, quad=tuple((x + 9000, y) for x, y in transform.quad))
    assert difference(paste_back(image, image, outside), image).max() == 0


def test_feather_out_of_range_is_refused():
    _, transform = align(photo(), points(), 64)
    with pytest.raises(ValueError, match="feather"):
        paste_back(photo(), photo(), transform, feather=0.9)


# --- pictures that are aligned already --------------------------------------------------------


def test_a_square_photo_framed_as_in_ffhq_is_a_photo():
    avatar, _, _ = align_or_crop(photo(), 1000)
    cutout = FaceAligner().align(avatar, 64)
    assert cutout.transform is not None
    assert abs(cutout.transform.side - 1000) < 150


def test_only_the_caller_says_that_a_picture_is_aligned():
    crop, _, _ = align_or_crop(photo(), 192)
    again, transform, marks = align_or_crop(crop, 192, mode="aligned")
    assert transform is None
    assert difference(again, crop).max() == 0
    assert marks is not None
    assert FaceAligner("aligned").align(crop, 192).transform is None


def test_aligned_mode_needs_no_face():
    noise = Image.new("RGB", (80, 60), (9, 99, 9)).filter(ImageFilter.BLUR)
    crop, transform, marks = align_or_crop(noise, 32, mode="aligned")
    assert (crop.size, transform, marks) == ((32, 32), None, None)
    with pytest.raises(ValueError, match="detect, aligned"):
        align_or_crop(noise, 32, mode="guess")


def test_aligner_serves_the_editor():
    cutout = FaceAligner().align(photo(), 64)
    assert cutout.image.size == (64, 64)
    assert cutout.landmarks is not None
    assert tuple(cutout.landmarks.shape) == (68, 2)
    pasted = FaceAligner().paste(photo(), cutout.image, cutout.transform, cutout.image)
    assert difference(pasted, photo()).max() == 0


# --- pose -------------------------------------------------------------------------------------


def test_pose_mirrors_and_turns_with_the_picture():
    marks = points().astype(np.float64)
    yaw, pitch, roll = head_pose(marks)
    angle = np.radians(15)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = head_pose(marks @ turn)
    np.testing.assert_allclose(turned, (yaw, pitch, roll + 15), atol=1e-6)
    assert max(abs(yaw), abs(pitch)) < 30


def test_a_nose_to_the_right_is_a_turn_to_the_right():
    marks = points().astype(np.float64)
    moved = marks.copy()
    moved[27:36, 0] += 10
    assert head_pose(moved)[0] > head_pose(marks)[0] + 3
    lower = marks.copy()
    lower[27:36, 1] += 8
    assert head_pose(lower)[1] > head_pose(marks)[1] + 3
