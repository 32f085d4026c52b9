"""A bald head: what lies behind the hair where it stood out, skin where it lay on the skull.

Worked out in the larger square about the head, for long hair leaves the face's crop.
"""

from __future__ import annotations

import cv2
import numpy as np

from multimodal.fidelity.change import Cover
from multimodal.fidelity.drawn import Drawn
from multimodal.fidelity.mesh import BROWS, EYES, OUTER_LIPS, OVAL
from multimodal.fidelity.regions import Surroundings, share
from multimodal.fidelity.things.ears import ears, whole_ears
from multimodal.fidelity.things.filling import WIDTHS, filled_in, spread, strands
from multimodal.fidelity.things.mirrored import other_eye
from multimodal.fidelity.things.quilting import skin_texture
from multimodal.fidelity.things.skulls import Skull, skull_of
from multimodal.fidelity.wishes import Wishes

BALD = 0.03
"""Share of the picture that drawn hair loses at least, where a head is made bald."""
LOCAL = 35.0
"""Over how many pixels from the forehead a skull loses the forehead's own shades."""
ASTRAY, UNLIKE, SHADOWS, LOOSE = 0.1, 0.17, 81, 35
"""How far skin strays from the face's light at most, without being something else; in parts of it,
from where a forehead shows strands or their shadows; how near hair these are, in pixels, twice,
and how near strands on cheeks."""
LIGHTER = 0.3
"""How much brighter than the face's light a forehead may be."""
HATTED = (0.08, 0.1)
"""Shares of hat and hair above the eyes from which it is a hat whose rim nobody knows."""
GAP = 0.2
"""How broad a gap between face and ear is closed, in widths of the face."""
HIDDEN = 0.35
"""Share of a brow over which hair hangs, from which it is drawn anew."""
SHADED = 0.2
"""Width of the darker rim of a skull, in widths of it."""
SHINE = 0.35
"""How much what is brighter than skin counts beside what is darker: skin shines."""
OTHER = ("background", "clothes", "hat", "neck", "ears", "glasses")
"""What is no forehead."""
KEPT = ("eyes", "iris", "lips", "mouth", "teeth", "glasses", "neck", "hat", "beard")


def becomes_bald(before: Drawn, after: Drawn, wishes: Wishes) -> bool:
    """Does an edit take a head's hair away?"""
    if wishes.strongest("hair_style") is not None:
        return wishes.amount("hair_style: bald") > 0.5
    if wishes.need_no_drawing:
        return False
    then, now = (float(share(one.likely, ("hair",)).mean()) for one in (before, after))
    return now < 0.35 * then and then - now > BALD


def bald_head(mesh: np.ndarray, around: Surroundings, hair: np.ndarray) -> Cover:
    """The square about a head without its hair.

    Args:
        mesh: of the face `[468, 2]`, in parts of the square's side.
        around: the square.
        hair: where it shows hair, `[S, S]` in [0, 1].
    """
    side = hair.shape[0]
    skull = skull_of(mesh, side)
    seen = share(around.likely, ("ears",))
    if _under_a_hat(around, hair, skull):  # whose rim nobody knows: it is better left alone
        return Cover(around.picture, 0 * hair, False, "bald")
    shown = whole_ears(mesh, seen, skull.whole)
    loose_ears = _grown((seen > 0.3) * (shown < 0.1).astype(np.float32), 9) * (skull.whole < 0.1)
    kept = np.clip(2 * (share(around.likely, KEPT) + shown) - 0.6, 0, 1)
    free = np.where(hair > 0.5, *(_features(mesh, side, wide) for wide in (1.05, 1.5)))
    kept = np.maximum(kept, free) * (1 - skull.dome * (hair > 0.3))
    gone = _gone(around, hair, skull) * (kept < 0.5)
    inner, brows = _inner(mesh, side), _brows(mesh, side)
    astray = (share(around.likely, ("brows",)) > 0.3) & (_grown(brows, 25) < 0.1) & (inner > 0)
    kept = kept * (1 - _grown(astray.astype(np.float32), 7))
    gone = np.maximum(gone, _grown(astray.astype(np.float32), 7))
    loose = strands(around, gone) * (1 - inner)
    loose = np.maximum(loose, loose_ears)
    gone, kept = np.maximum(gone, loose), kept * (1 - loose)
    far = 1 - _grown(gone.astype(np.uint8), 13)
    flesh = _flesh(around, skull, far)
    bare = far * inner * (share(around.likely, ("skin",)) > 0.85)
    smooth = skull.whole * _grown(gone, 9) > 0.3
    colours = filled_in(around, far, mesh, np.median(flesh[inner > 0], axis=0))
    shaded = _astray(around, flesh, skull, hair, (_features(mesh, side, 1.3), inner))
    gone, kept = np.maximum(gone, shaded), kept * (1 - shaded)
    pores = skin_texture(around.picture, bare, smooth.astype(np.float32)) if bare.any() else 1.0
    head = np.maximum(skull.whole, _to_the_ears(skull, inner, shown))
    colours = colours + (flesh * pores**0.6 - colours) * head[..., None]
    tone = np.median(flesh[(skull.up > 0) & (skull.whole > 0.9)], axis=0)
    colours, covered = ears(mesh, colours, tone, shown)
    hidden = _hidden_brows(mesh, brows, hair, share(around.likely, ("brows",)))
    tone = _brow_colour(around) if hidden.any() else tone
    colours = colours + (tone - colours) * (0.75 * brows * (hidden > 0))[..., None]
    kept = kept * (1 - np.clip(2 * hidden, 0, 1))
    gone = np.maximum(gone, hidden)
    mirrored, over = other_eye(mesh, around, hair, flesh)
    colours = colours + (mirrored - colours) * over[..., None]
    grain = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
    colours = colours + 0.012 * cv2.GaussianBlur(grain, (0, 0), 0.8)[..., None]
    alpha = cv2.GaussianBlur(np.maximum(gone, covered).astype(np.float32), (0, 0), 2.0)
    wider = cv2.GaussianBlur(_grown((gone * skull.whole > 0.5).astype(np.float32), 17), (0, 0), 8)
    alpha = np.maximum(alpha, wider * np.clip(skull.up / 0.2, 0, 1) * (skull.whole > 0.5))
    alpha = np.maximum(alpha * (1 - kept), over) * (1 - _worn(around, skull))
    return Cover(colours.clip(0, 1).astype(np.float32), alpha, False, "bald")


def _hatted(around: Surroundings, skull: Skull) -> tuple[np.ndarray, float]:
    """About the head above the eyes `[S, S]`, and how much of that shows a hat."""
    above = (_grown((skull.whole > 0.5).astype(np.uint8), 41) > 0) & (skull.up > 0.35)
    return above, float(share(around.likely, ("hat",))[above].mean()) if above.any() else 0.0


def _under_a_hat(around: Surroundings, hair: np.ndarray, skull: Skull) -> bool:
    """Does the head show a hat, and hair where a hat would be?"""
    above, hat = _hatted(around, skull)
    return hat > HATTED[0] and float(hair[above].mean()) > HATTED[1]


def _worn(around: Surroundings, skull: Skull) -> np.ndarray:
    """The hat on the head, all of which stays, `[S, S]` in [0, 1]."""
    hat = share(around.likely, ("hat",))
    if _hatted(around, skull)[1] < HATTED[0]:
        return np.zeros_like(hat)
    found = _grown((hat > 0.3).astype(np.float32), 9)
    return np.asarray(cv2.GaussianBlur(found, (0, 0), 1.5))


def _gone(around: Surroundings, hair: np.ndarray, skull: Skull) -> np.ndarray:
    """What goes: hair, what hair may be unseen by the parser about it, and all over the skull."""
    gone = cv2.erode(_grown((hair > 0.12).astype(np.uint8), 19), np.ones((5, 5), np.uint8))
    about = _grown((skull.whole > 0.5).astype(np.uint8), 31) > 0
    doubtful = share(around.likely, ("background", "skin", "nose", "clothes", "ears", *KEPT)) < 0.6
    near = _grown((hair > 0.3).astype(np.uint8), 25) > 0
    return np.maximum(gone, np.maximum(skull.dome > 0.5, about & doubtful & near)).astype(
        np.float32
    )


def _inner(mesh: np.ndarray, side: int) -> np.ndarray:
    """The face itself `[S, S]` in {0, 1}."""
    found = np.zeros((side, side), np.float32)
    cv2.fillPoly(found, [np.round(mesh[list(OVAL)] * side).astype(np.int32)], 1.0)
    return found


def _brows(mesh: np.ndarray, side: int) -> np.ndarray:
    """The brows by the mesh, soft, `[S, S]` in [0, 1]."""
    found = np.zeros((side, side), np.float32)
    for brow in BROWS:
        points = mesh[list(brow[:5] + brow[:4:-1])] * side
        cv2.fillPoly(found, [np.round(points * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    soft: np.ndarray = cv2.GaussianBlur(found, (0, 0), 1.5)
    return soft


def _to_the_ears(skull: Skull, inner: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """What of a head lies between its face and the ears that show, where hair was, `[S, S]` in
    [0, 1]."""
    ear = (shown > 0.5).astype(np.uint8)
    if not ear.any():
        return np.zeros_like(inner)
    level = (skull.up > -0.9) & (skull.up < 0.3)
    parts = np.maximum.reduce([(skull.whole > 0.5).astype(np.uint8), inner.astype(np.uint8), ear])
    size = max(round(GAP * float(np.ptp(np.nonzero(inner.any(axis=0))[0]))), 3)
    along = np.ones((1, size), np.uint8)  # level with the ear alone, or a web would grow above it
    closed = cv2.morphologyEx(parts * level, cv2.MORPH_CLOSE, along)
    near = cv2.dilate(ear, along)
    return cv2.GaussianBlur((closed * near).astype(np.float32), (0, 0), 1.5)


def _hidden_brows(
    mesh: np.ndarray, brows: np.ndarray, hair: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """The brows over which hair hangs, each wholly or not at all, `[S, S]` in [0, 1]; `shown` are
    those that the photo shows."""
    side, found = len(hair), np.zeros_like(brows)
    near = _grown((hair > 0.4).astype(np.float32), 5)
    for brow in BROWS:
        x, y = mesh[list(brow)].mean(axis=0) * side
        reach = 0.6 * float(np.ptp(mesh[list(brow)][:, 0])) * side
        rows, columns = np.ogrid[:side, :side]
        mine = brows * (np.hypot(columns - x, rows - y) < reach)
        covered, seen = float((mine * near).sum()), float((mine * shown).sum())
        if covered > HIDDEN * float(mine.sum()) and seen < HIDDEN * float(mine.sum()):
            found = np.maximum(found, mine)
    return cv2.GaussianBlur(found, (0, 0), 2)


def _brow_colour(around: Surroundings) -> np.ndarray:
    """The colour of brows that hair hid: of what shows of them, or else of the hair."""
    own = around.levels(("brows",), 0.7)
    if len(own) > 60:
        return np.asarray(np.quantile(own, 0.4, axis=0))
    return np.asarray(np.quantile(around.levels(("hair",)), 0.3, axis=0))


def _features(mesh: np.ndarray, side: int, wide: float) -> np.ndarray:
    """Brows, eyes and lips by the mesh, which takes no strand of hair for one, `[S, S]`;
    eyes `wide` times as large as they are."""
    found = np.zeros((side, side), np.float32)
    brows = [brow[:5] + brow[:4:-1] for brow in BROWS]
    for outline, size in ((brows[0], 1.0), (brows[1], 1.0), (EYES[0], wide), (EYES[1], wide),
                          (OUTER_LIPS, 1.1)):  # fmt: skip
        points = mesh[list(outline)]
        points = (points.mean(axis=0) + (points - points.mean(axis=0)) * size) * side
        cv2.fillPoly(found, [np.round(points * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    soft: np.ndarray = cv2.GaussianBlur(found, (0, 0), 2)
    return soft


def _flesh(around: Surroundings, skull: Skull, far: np.ndarray) -> np.ndarray:
    """Skin all over the skull `[S, S, 3]`: the light of the whole face, the forehead's own shades
    near it, darker where the skull turns away."""
    likely = share(around.likely, ("skin", "nose")) > 0.85
    seen = far * (likely & (skull.up > -0.5))
    calm = _lit(around.picture, seen, skull)
    rest = (around.picture - calm).clip(-ASTRAY, LIGHTER)
    like = (rest.min(axis=-1) > -ASTRAY) & (rest.max(axis=-1) < LIGHTER)
    near = spread(rest, seen * like, WIDTHS[1:])
    away = cv2.distanceTransform((seen < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    bare = calm + near * np.exp(-away / LOCAL)[..., None]
    joined = np.maximum(skull.whole > 0.5, likely).astype(np.uint8)
    head: np.ndarray = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))
    depth = cv2.distanceTransform(head, cv2.DIST_L2, 5)
    width = SHADED * max(float(np.ptp(np.nonzero(head.any(axis=0))[0], axis=0)), 1.0)
    t = np.clip(depth / width, 0, 1)
    rounded = cv2.GaussianBlur((0.66 + 0.34 * np.sqrt(t * (2 - t))).astype(np.float32), (0, 0), 3)
    shine = 0.05 * np.exp(-(((skull.up - 0.62) / 0.16) ** 2) - (skull.across / 0.3) ** 2)
    return bare * rounded[..., None] + shine[..., None]


def _lit(picture: np.ndarray, seen: np.ndarray, skull: Skull) -> np.ndarray:
    """The face's skin as a smooth function of the place, shadows and strands left out, `[S, S, 3]`.

    The logarithm of its brightness, quadratic across the head and linear along it, by least squares
    of which what strays counts less each time, no brighter or darker than the face; colours as skin
    of that brightness has them.
    """
    spots = seen > 0.5
    if spots.sum() < 400:
        tone = np.median(picture[skull.whole > 0.9], axis=0)
        return np.broadcast_to(tone.astype(np.float32), picture.shape)
    up, across = skull.up.clip(-0.4, 0.45), skull.across.clip(-0.6, 0.6)
    terms = np.stack([np.ones_like(up), across, across**2, up], axis=-1)
    step = max(int(spots.sum()) // 4000, 1)
    rows, colours = terms[spots][::step], np.log(picture[spots][::step] + 0.02)
    light = colours.mean(axis=-1)
    weight = np.ones(len(rows))
    for _ in range(5):
        root = np.sqrt(weight)
        found = np.linalg.lstsq(rows * root[:, None], light * root, rcond=None)[0]
        weight = 1 / (1 + ((light - rows @ found) / 0.12) ** 2) ** 2
    lit = (terms @ found).clip(*np.quantile(light, (0.35, 0.85)))
    line = np.stack([np.ones_like(light), light], axis=-1) * np.sqrt(weight)[:, None]
    tones = np.linalg.lstsq(line, colours * np.sqrt(weight)[:, None], rcond=None)[0]
    return np.asarray(np.exp(tones[0] + lit[..., None] * tones[1]) - 0.02, np.float32)


def _astray(
    around: Surroundings,
    flesh: np.ndarray,
    skull: Skull,
    hair: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Strands and shadows of hair on a face: what is unlike its skin, `[S, S]` in [0, 1]; of
    parts, the first are eyes, brows and lips, the second is the whole face."""
    near = _grown((hair > 0.3).astype(np.float32), SHADOWS)
    rest = flesh - around.picture
    away = np.maximum(rest, -SHINE * rest).max(axis=-1) / (flesh.mean(axis=-1) + 0.05)
    unlike = cv2.GaussianBlur((away > UNLIKE).astype(np.float32), (0, 0), 1.5)
    close = _grown((hair > 0.3).astype(np.float32), LOOSE) * parts[1]
    dark = around.picture.mean(axis=-1) < (1 - UNLIKE) * flesh.mean(axis=-1)
    near = np.where(skull.up > 0.1, near, close * dark * (skull.up > -0.8))
    where = near * (share(around.likely, OTHER) < 0.5)
    calm = 1 - _grown((parts[0] > 0.2).astype(np.float32), 11)
    found: np.ndarray = _grown((unlike > 0.25).astype(np.float32), 5) * where * calm
    return found


def _grown(mask: np.ndarray, width: int) -> np.ndarray:
    found: np.ndarray = cv2.dilate(mask, np.ones((width, width), np.uint8))
    return found
