"""The same faces in frame after frame: found now and then, followed in between, held still.

Where a picture differs from the one before nearly everywhere, the film was cut, and tracks end.
A track's crop is smoothed over time from both sides, so that the crop does not tremble and does not
lag behind either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform, ffhq_quad
from multimodal.faces.detect import DetectedFace, points_in, upright_faces

SIDE = 640
"""Longest side of the frames that are searched."""
EVERY = 12
"""Frames between two searches; a lost face is searched at once."""
CUT = 0.16
"""Mean difference of two thumbnails in [0, 1] from which the film was cut."""
SMOOTH = 2.0
"""Deviation in frames of the smoothing of a crop's place."""
JUMP = 0.35
"""How far a face may move between two frames, in its own widths."""
ASTRAY = 0.12
"""How far points may lie from where they are expected, likewise, to be believed."""
LEAST_POINTS = 12
"""Points that must be followed for a face to be followed."""
THUMBNAIL = (32, 18)


@dataclass(eq=False)
class Track:
    """One face through one shot.

    Args:
        start: its first frame.
        points: its 68 points in every frame from there, each `[68, 2]` in pixels of the frame.
        box: the detector's box about it in the last frame, `[2, 2]`, likewise.
    """

    start: int
    points: list[np.ndarray] = field(default_factory=list)
    box: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))

    @property
    def stop(self) -> int:
        """The frame after its last."""
        return self.start + len(self.points)

    def places(self, size: int) -> list[FaceTransform]:
        """Where the crop of `size` pixels lies in each frame, smoothed over time."""
        quads = np.stack([ffhq_quad(points) for points in self.points])
        calm = smoothed(quads.reshape(len(quads), -1))
        return [
            FaceTransform(tuple((float(x), float(y)) for x, y in quad), size)  # type: ignore[arg-type]
            for quad in calm.reshape(-1, 4, 2)
        ]


def track_faces(
    frames: Iterable[Image.Image], which: int | None = None, width: int | None = None
) -> list[Track]:
    """The faces of a film.

    Args:
        frames: its pictures, one at a time; none is kept.
        which: only the face of that index of each search, largest first; None follows all.
        width: of the film's pictures where these are smaller ones of them; points are in its own.

    Returns:
        tracks in the order in which they begin.
    """
    done: list[Track] = []
    live: list[Track] = []
    before: np.ndarray | None = None
    for number, frame in enumerate(frames):
        small, scale = _small(frame)
        scale *= 1.0 if width is None else width / frame.width
        grey = np.asarray(small.convert("L"))
        if before is not None and float(np.abs(_thumbnail(grey) - _thumbnail(before)).mean()) > CUT:
            done, live = [*done, *live], []
        lost = [track for track in live if not _follow(track, small, (before, grey), scale)]
        live = [track for track in live if track not in lost]
        done, before = done + lost, grey
        if number % EVERY == 0 or lost or not live:
            for face in _searched(small, which):
                points, box = (
                    _full(face.landmarks, scale),
                    _full(np.reshape(face.box, (2, 2)), scale),
                )
                known = next((track for track in live if _same(points, track)), None)
                if known is None:
                    live.append(Track(number, [points], box))
                else:
                    known.points[-1], known.box = points, box
    return sorted([*done, *live], key=lambda track: track.start)


def _follow(
    track: Track, small: Image.Image, greys: tuple[np.ndarray | None, np.ndarray], scale: float
) -> bool:
    """Add the points of the next frame; False where the face is lost.

    The box follows what moved between the two frames, not the points found in it: these would lead
    it astray step by step.
    """
    last, box = ((points + 0.5) / scale - 0.5 for points in (track.points[-1], track.box))
    move = _motion(greys, last)
    if move is None:
        return False
    expected, middle = _moved(move, last), _moved(move, box.mean(axis=0))
    half = np.ptp(box, axis=0) / 2 * np.sqrt(np.abs(np.linalg.det(move[:, :2])))
    face = points_in(small, (*(middle - half), *(middle + half)))
    width = float(np.ptp(expected[:, 0]))
    away = float(np.linalg.norm(face.landmarks - expected, axis=1).mean())
    points = face.landmarks if away < ASTRAY * width else expected
    moved = np.abs(points.mean(axis=0) - last.mean(axis=0)).max()
    if moved > JUMP * width:
        return False
    track.points.append(_full(points, scale))
    track.box = _full(np.stack([middle - half, middle + half]), scale)
    return True


def _motion(greys: tuple[np.ndarray | None, np.ndarray], points: np.ndarray) -> np.ndarray | None:
    """The similarity `[2, 3]` by which a face moved from one frame to the next; None: it is gone.

    Points are followed there and back (Lucas and Kanade 1981; Bouguet's pyramids).
    """
    first, second = greys
    start = points.astype(np.float32)[:, None]
    if first is None or first.shape != second.shape:
        return None
    there, seen, _ = cv2.calcOpticalFlowPyrLK(first, second, start, None)  # type: ignore[call-overload]
    back, seen_back, _ = cv2.calcOpticalFlowPyrLK(second, first, there, None)  # type: ignore[call-overload]
    good = (seen & seen_back)[:, 0] > 0
    good &= np.linalg.norm(back - start, axis=-1)[:, 0] < 1.5
    if good.sum() < LEAST_POINTS:
        return None
    move, agree = cv2.estimateAffinePartial2D(start[good], there[good], ransacReprojThreshold=2.0)
    if move is None or agree.sum() < LEAST_POINTS / 2:
        return None
    return np.asarray(move)


def _moved(move: np.ndarray, points: np.ndarray) -> np.ndarray:
    found: np.ndarray = points @ move[:, :2].T + move[:, 2]
    return found


def _searched(small: Image.Image, which: int | None) -> list[DetectedFace]:
    found = upright_faces(small)
    return found if which is None else found[which : which + 1]


def _same(points: np.ndarray, track: Track) -> bool:
    away = np.linalg.norm(points.mean(axis=0) - track.points[-1].mean(axis=0))
    return bool(away < 0.6 * np.ptp(points[:, 0]))


def _full(points: np.ndarray, scale: float) -> np.ndarray:
    return ((points + 0.5) * scale - 0.5).astype(np.float32)


def _small(frame: Image.Image) -> tuple[Image.Image, float]:
    """The frame at most `SIDE` pixels long, and how many times smaller it is."""
    scale = max(1.0, max(frame.size) / SIDE)
    if scale == 1.0:
        return frame.convert("RGB"), 1.0
    size = (round(frame.width / scale), round(frame.height / scale))
    return frame.convert("RGB").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0), scale


def _thumbnail(grey: np.ndarray) -> np.ndarray:
    found: np.ndarray = cv2.resize(grey, THUMBNAIL, interpolation=cv2.INTER_AREA)
    return found.astype(np.float32) / 255


def smoothed(series: np.ndarray) -> np.ndarray:
    """Columns of a series `[N, C]`, one row a frame, smoothed over time from both sides."""
    return np.stack([_smoothed(column) for column in series.T], axis=1)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A series through a Gaussian; the ends go on as they were going."""
    reach = int(3 * SMOOTH)
    if len(values) < 3:
        return values
    before = 2 * values[0] - values[1 : reach + 1][::-1]
    after = 2 * values[-1] - values[-reach - 1 : -1][::-1]
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTH) ** 2)
    whole = np.concatenate([before, values, after])
    whole = np.pad(whole, (reach - len(before), reach - len(after)), mode="edge")
    return np.convolve(whole, weights / weights.sum(), mode="valid")
