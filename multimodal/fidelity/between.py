"""Edits of the frames between two of a film whose edits are planned.

What an edit does to a face changes slowly: it is planned at key frames, and carried from the two
about it to each frame between along the optical flow (dense inverse search; Kroeger et al. 2016,
arXiv 1603.03590). Where one of the two shows something else, such as a hand before the face, the
other counts. Only the planned change is mixed, never pictures: pixels are each frame's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np

from multimodal.faces.align import FaceTransform
from multimodal.fidelity.change import Change, Cover
from multimodal.fidelity.colours.dyes import Names
from multimodal.fidelity.colours.tints import Tint, apply_tint_quickly
from multimodal.fidelity.composing import axes, compose, overlaid, touched
from multimodal.fidelity.plans import Plan
from multimodal.fidelity.regions import ROOM, Region, quick_mask_of
from multimodal.fidelity.subjects import Subject

LOOK = 256
"""Side of the grey pictures between which motion is sought."""
CALM = 2.0
"""Standard deviation by which the motion found is smoothed, in pixels of those."""
DOUBT = 14.0
"""Levels by which a carried picture may differ before it counts for less."""
NEAR = 4.0
"""Standard deviation by which that difference is smoothed, in pixels."""


@dataclass(frozen=True, eq=False)
class Key:
    """A planned frame.

    Args:
        plan: what the edit does to it.
        regions: those of its tints.
        face: its face's crop in grey `[256, 256]` uint8.
        around: the same of the square about the head.
    """

    plan: Plan
    regions: dict[Names, Region]
    face: np.ndarray
    around: np.ndarray


Maps = tuple[np.ndarray, np.ndarray]
"""Places in a plane in whole pixels and parts of one, as OpenCV reads them quickest."""


@dataclass(frozen=True, eq=False)
class Carried:
    """How a frame lies to the two key frames about it.

    Args:
        flows: from a pixel to its place in each, `[256, 256, 2]` in parts of the side.
        share: how much the second counts at each pixel, `[256, 256]` in [0, 1].
        most: how much it counts by time alone.
        maps: the flows as places in planes of a side, as remapping takes them; found once a side.
    """

    flows: tuple[np.ndarray, np.ndarray]
    share: np.ndarray
    most: float
    maps: dict[int, tuple[Maps, Maps]] = field(default_factory=dict, repr=False)

    def read(self, pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Two planes `[S, S, ...]`, one of each key frame, as they lie in this frame."""
        sides = [plane.shape[0] for plane in pair]
        for side in sides:
            if side not in self.maps:
                self.maps[side] = (_maps(self.flows[0], side), _maps(self.flows[1], side))
        one, two = self.maps[sides[0]][0], self.maps[sides[1]][1]
        return _remapped(pair[0], one), _remapped(pair[1], two)


def key_of(subject: Subject, plan: Plan) -> Key:
    """A planned frame, ready to be carried to others."""
    found = {names: subject.limited(names, LOOK) for names, _ in plan.tints}
    regions = {names: region for names, region in found.items() if region is not None}
    face = looked_at(subject.photo, subject.transform)
    around = looked_at(subject.photo, square_of(subject.transform))
    return Key(plan, regions, face, around)


def changed(
    photo: np.ndarray, place: FaceTransform, keys: tuple[Key, Key], share: float
) -> np.ndarray:
    """A frame `[H, W, 3]` with the edit of the two planned frames about it.

    Args:
        photo: the frame.
        place: where the face's crop lies in it.
        keys: the frames before and after it.
        share: how far it lies towards the second, in [0, 1].
    """
    first, second = keys
    square = square_of(place)
    way = _carried(looked_at(photo, place), (first.face, second.face), share)
    wide = way
    if first.plan.wide or second.plan.wide:
        wide = _carried(looked_at(photo, square), (first.around, second.around), share)
        photo = _recoloured(photo, square, keys, wide)
    one, two = ({o.cover.name: o for o in key.plan.overlays} for key in keys)
    for name in dict.fromkeys([*one, *two]):
        beyond = (one.get(name) or two[name]).wide
        pair = [(plan[name].cover,) if name in plan else () for plan in (one, two)]
        for cover in _mixed_covers(pair[0], pair[1], wide if beyond else way):
            photo = overlaid(photo, square if beyond else place, cover)
    change = _mixed_change(first.plan.change, second.plan.change, way)
    return compose(photo, place, change, quick=True)


def square_of(place: FaceTransform) -> FaceTransform:
    """The square about a head whose face's crop lies there."""
    quad = np.array(place.quad)
    wide = quad.mean(axis=0) + (quad - quad.mean(axis=0)) * ROOM
    return FaceTransform(tuple((float(x), float(y)) for x, y in wide), place.size)  # type: ignore[arg-type]


def looked_at(photo: np.ndarray, place: FaceTransform) -> np.ndarray:
    """A crop of a photo in grey, `[256, 256]` uint8."""
    box = touched(photo.shape, place) or (0, 0, 1, 1)
    left, top, right, bottom = box
    grey = cv2.cvtColor(photo[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    shrink = max(place.side / LOOK, 1.0)
    if shrink > 1.2:  # averaged first, so that nothing is skipped
        size = tuple(max(1, round(side / shrink)) for side in grey.shape[::-1])
        scale = np.array(size) / grey.shape[::-1]
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    else:
        scale = np.ones(2)
    corner = (np.array(place.quad[0]) - (left, top) + 0.5) * scale - 0.5
    steps = axes(place) * scale / LOOK
    matrix = np.concatenate([steps.T, (corner + steps.sum(axis=0) / 2)[:, None]], axis=1)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REFLECT_101
    found: np.ndarray = cv2.warpAffine(grey, matrix, (LOOK, LOOK), flags=how, borderMode=border)
    return found


def _carried(look: np.ndarray, others: tuple[np.ndarray, np.ndarray], share: float) -> Carried:
    """How a frame lies to two others."""
    flows, doubts = [], []
    for other in others:
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(look, other, None)  # type: ignore[call-overload]
        flow = cv2.GaussianBlur(flow, (0, 0), CALM)
        away = cv2.absdiff(look, _remapped(other, _maps(flow / LOOK, LOOK))).astype(np.float32)
        doubts.append((cv2.GaussianBlur(away, (0, 0), NEAR) / DOUBT) ** 2)
        flows.append(flow / LOOK)
    lead = np.clip(doubts[0] - doubts[1], -20, 20)
    odds = share * np.exp(lead) / (share * np.exp(lead) + 1 - share)
    return Carried((flows[0], flows[1]), odds.astype(np.float32), share)


def _maps(flow: np.ndarray, side: int) -> Maps:
    """Where a flow points in planes `[S, S, ...]` of a side."""
    spots = _sized(flow, side) * np.float32(side) + _cells(side)
    whole, part = cv2.convertMaps(spots, None, cv2.CV_16SC2)  # type: ignore[call-overload]
    return whole, part


def _remapped(plane: np.ndarray, maps: Maps) -> np.ndarray:
    border = cv2.BORDER_REPLICATE
    found: np.ndarray = cv2.remap(plane, *maps, cv2.INTER_LINEAR, borderMode=border)
    return found


@lru_cache(maxsize=4)
def _cells(side: int) -> np.ndarray:
    line = np.arange(side, dtype=np.float32)
    return np.stack(np.meshgrid(line, line), axis=-1)


def _sized(plane: np.ndarray, side: int) -> np.ndarray:
    if plane.shape[0] == side:
        return plane
    return cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR)


def _mixed(pair: tuple[np.ndarray, np.ndarray], way: Carried) -> np.ndarray:
    """Two planes carried to a frame, and mixed."""
    one, two = way.read(pair)
    two = two if two.shape == one.shape else _sized(two, one.shape[0])
    share = _sized(way.share, one.shape[0])
    two -= one
    two *= share if one.ndim == 2 else share[..., None]
    two += one
    return two


def _mixed_change(one: Change, two: Change, way: Carried) -> Change:
    """Two changes carried to a frame, and mixed."""
    pairs = ((one.motion, two.motion), (one.factor, two.factor), (one.summand, two.summand))
    motion, factor, summand = (_mixed(pair, way) for pair in pairs)
    return Change(motion, factor, summand, _mixed_covers(one.covers, two.covers, way))


def _mixed_covers(one: Sequence[Cover], two: Sequence[Cover], way: Carried) -> tuple[Cover, ...]:
    """Covers of two frames, those of one name as one; what only one has fades."""
    names = dict.fromkeys(cover.name for cover in (*one, *two))
    found = []
    for name in names:
        pair = [next((c for c in covers if c.name == name), None) for covers in (one, two)]
        known = pair[0] or pair[1]
        assert known is not None
        first, second = (c or replace(known, alpha=np.zeros_like(known.alpha)) for c in pair)
        alpha = _mixed((first.alpha, second.alpha), way)
        layers = [cover.colours * cover.alpha[..., None] for cover in (first, second)]
        colours = _mixed((layers[0], layers[1]), way) / (alpha[..., None] + np.float32(1e-6))
        found.append(Cover(colours, alpha, known.sharp, name))
    return tuple(found)


def _recoloured(
    photo: np.ndarray, square: FaceTransform, keys: tuple[Key, Key], way: Carried
) -> np.ndarray:
    """A frame with its regions in the colours that two planned frames have."""
    tints = [dict(key.plan.tints) for key in keys]
    photo = photo.copy()
    for names in dict.fromkeys([*tints[0], *tints[1]]):
        regions = [key.regions.get(names) for key in keys]
        region = _mixed_region(regions[0], regions[1], way)
        mask = None if region is None else quick_mask_of(photo, square, region)
        if mask is not None:
            tint = _mixed_tint(tints[0].get(names), tints[1].get(names), way.most)
            apply_tint_quickly(photo, mask, tint)
    return photo


def _mixed_region(one: Region | None, two: Region | None, way: Carried) -> Region | None:
    if one is None and two is None:
        return None
    known = one or two
    assert known is not None
    fades = np.ones(known.line.shape[:2], np.float32)
    first, second = one or replace(known, limit=0 * fades), two or replace(known, limit=0 * fades)
    line, reach, along = (
        _mixed(pair, way)
        for pair in (
            (first.line, second.line),
            (first.reach, second.reach),
            (first.along, second.along),
        )
    )
    limit = None
    if first.limit is not None or second.limit is not None:
        limits = [fades if r.limit is None else r.limit for r in (first, second)]
        limit = _mixed((limits[0], limits[1]), way)
    top = None
    if first.top is not None and second.top is not None:
        top = _mixed((first.top.astype(np.float32), second.top.astype(np.float32)), way)
        top = top.clip(0, 255).astype(np.uint8)
    low = np.minimum(first.extent, second.extent)[:2] - 0.03
    high = np.maximum(first.extent, second.extent)[2:] + 0.03
    extent = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Region(line, reach, along, extent, limit, top)


def _mixed_tint(one: Tint | None, two: Tint | None, share: float) -> Tint:
    first, second = one or two, two or one
    assert first is not None
    assert second is not None
    planes = [
        a + share * (b - a) for a, b in ((first.curves, second.curves), (first.veil, second.veil))
    ]
    mixed = (
        a + share * (b - a) for a, b in ((first.share, second.share), (first.even, second.even))
    )
    return Tint(planes[0], planes[1], *mixed)
