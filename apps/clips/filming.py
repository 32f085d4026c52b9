"""An edit of a whole film: faces followed, changed photo-true in every frame, the sound kept.

What the edit does to a face is planned at key frames of a shot, where the face is inverted, drawn
and read, and carried from there to the frames between. Finished parts wait in a folder beside the
film until it is whole, so that the same command goes on after an interruption.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from apps.clips.animate import cache_key
from apps.clips.finishing import finished, most_waiting
from apps.clips.parts import LENGTH, is_whole, join, part_at, spans, write_part
from apps.clips.reading import Film, numbered, read_film
from apps.clips.shots import Shot, chosen_keys, coded_among
from apps.edits import EditSpec, edit_face
from multimodal.editing.finishing import DRAWING
from multimodal.faces.align import FaceTransform, cut
from multimodal.faces.tracking import SIDE, Track, track_faces

if TYPE_CHECKING:
    from multimodal import FaceEditor
    from multimodal.types import Face

LEAST_TRACK = 3
"""Shorter tracks, in frames, are taken for mistakes."""

OnFrames = Callable[[int, int, str], None]
"""Called with (frames done, frames planned, what is being done)."""
Followed = tuple[Film, list[Track]]
"""A film and the faces in it."""
Span = tuple[int, int]
"""The first frame of a part, and the one after its last."""
Ahead = Callable[[Film, Sequence[Shot], Path, Sequence[Span], OnFrames], None]
"""Called with (film, shots, folder, parts, progress) before the film is written: may write parts
into the folder by other means."""


@dataclass(frozen=True)
class Filming:
    """How a film is edited.

    Args:
        spec: what changes.
        inversion: how the key frames are inverted.
        face: only the face of that index, largest first; None edits all.
        length: frames of a part: what an interrupted run loses at most.
    """

    spec: EditSpec
    inversion: str = "encoder"
    face: int | None = None
    length: int = LENGTH


def follow_faces(
    path: Path, out: Path, how: Filming, on_frames: OnFrames | None = None
) -> Followed:
    """Look at a film and follow the faces in it; no model is needed for this.

    Arguments and errors are those of `edit_film`.
    """
    if out.suffix.lower() != ".mp4":
        raise ValueError(f"cannot write a film as {out.name!r}: end the name in .mp4")
    if out.resolve() == path.resolve():
        raise ValueError(f"--out {out} would overwrite what is read")
    film = read_film(path)
    tracks = track_faces(_small_pictures(film, on_frames or _silent), how.face, film.size[0])
    tracks = [track for track in tracks if len(track.points) >= LEAST_TRACK]
    if not tracks:
        raise ValueError(f"no face found in {path.name} that can be followed")
    return film, tracks


def edit_film(
    editor: FaceEditor,
    path: Path,
    out: Path,
    how: Filming,
    on_frames: OnFrames | None = None,
    ahead: Ahead | None = None,
    followed: Followed | None = None,
) -> dict[str, Any]:
    """Write an edited film; run again after an interruption, it goes on where it stopped.

    Args:
        editor: of the model that edits.
        path: the film.
        out: `.mp4`.
        how: what changes in whom.
        on_frames: progress.
        ahead: writes parts by other means, see `apps.clips.segments`; None writes one after
            another.
        followed: what `follow_faces` found, where it ran before; None follows them here.

    Returns:
        what was done: frames, shots, and how many frames had no face.

    Raises:
        FileNotFoundError: no such film.
        ValueError: no film, no face in it, or another suffix than `.mp4`.
    """
    tell = on_frames or _silent
    film, tracks = followed or follow_faces(path, out, how, tell)
    parts = spans(film.frames, how.length)
    shots = _shots(editor, film, tracks, how, parts)
    stat = path.stat()
    key = cache_key(str(path.resolve()), stat.st_size, stat.st_mtime_ns, repr(how), editor.name)
    folder = out.with_name(f".{out.stem}.{key}.film")
    folder.mkdir(parents=True, exist_ok=True)
    if ahead is not None:
        ahead(film, shots, folder, parts, tell)
    write_parts(editor, film, shots, folder, parts, tell)
    join(film, [part_at(folder, span) for span in parts], out)
    shutil.rmtree(folder, ignore_errors=True)
    faceless = film.frames - len({n for t in tracks for n in range(t.start, t.stop)})
    return {"frames": film.frames, "shots": len(shots), "without a face": faceless}


def _silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""


def _small_pictures(film: Film, tell: OnFrames) -> Iterator[Image.Image]:
    """All pictures as faces are sought in them; one that is missing is the one before."""
    done = 0
    for number, picture in numbered(film):
        small = Image.fromarray(picture.pixels(SIDE))
        while done <= number:
            yield small
            done += 1
        tell(done, film.frames, "following faces")


def _shots(
    editor: FaceEditor, film: Film, tracks: list[Track], how: Filming, parts: Sequence[Span]
) -> list[Shot]:
    """Choose what is planned, invert faces, and work out the edit of each track at its first."""
    size, rate = editor.generator.resolution, float(film.rate)
    places = [track.places(size) for track in tracks]
    forced = [start for start, _ in parts]
    keys = [
        chosen_keys(track, where, rate, most_waiting(film), forced)
        for track, where in zip(tracks, places, strict=True)
    ]
    coded = [coded_among(one, rate) for one in keys]
    faces = _inverted(editor, film, coded, tracks, places, how)
    found = []
    for index, track in enumerate(tracks):
        known = [number for number in coded[index] if (index, number) in faces]
        if not known:
            continue  # not one of its frames can be decoded
        made = edit_face(editor, faces[index, known[0]], replace(how.spec, fidelity=DRAWING))
        codes = torch.cat([faces[index, number].latent.w for number in known])
        strength = float(made.scores.get("strength", 1.0))
        shot = (track, places[index], keys[index], known, codes, made.offset, strength)
        found.append(Shot(*shot))
    return found


def _inverted(
    editor: FaceEditor,
    film: Film,
    coded: Sequence[Sequence[int]],
    tracks: Sequence[Track],
    places: Sequence[Sequence[FaceTransform]],
    how: Filming,
) -> dict[tuple[int, int], Face]:
    """The faces of some frames, by track and number."""
    found = {}
    last = max((number for numbers in coded for number in numbers), default=0)
    for number, picture in numbered(film, 0, last + 1):
        for index in (i for i, numbers in enumerate(coded) if number in numbers):
            place = places[index][number - tracks[index].start]
            crop = cut(Image.fromarray(picture.pixels()), place)
            face = editor.invert(crop, how.inversion, aligned=True, seed=how.spec.seed)
            found[index, number] = face
    return found


def write_parts(
    editor: FaceEditor,
    film: Film,
    shots: Sequence[Shot],
    folder: Path,
    parts: Sequence[Span],
    tell: OnFrames,
) -> int:
    """Write the parts that are missing into a folder; returns how many frames were drawn."""
    drawn = 0
    for run in _runs([span for span in parts if not is_whole(part_at(folder, span))]):
        frames = finished(editor, film, shots, run[0][0], run[-1][1])
        later: list[tuple[int, np.ndarray]] = []
        for span in run:
            within = _until(span[1], frames, later)
            write_part(film, part_at(folder, span), _told(within, film, tell))
            drawn += span[1] - span[0]
    return drawn


def _runs(parts: Sequence[Span]) -> list[list[Span]]:
    """Parts grouped so that each follows on the one before."""
    runs: list[list[Span]] = []
    for span in parts:
        if runs and runs[-1][-1][1] == span[0]:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


Numbered = tuple[int, np.ndarray]


def _until(stop: int, frames: Iterator[Numbered], later: list[Numbered]) -> Iterator[Numbered]:
    """Frames below a number; the first beyond it waits in `later` for the next part."""
    while later and later[0][0] < stop:
        yield later.pop()
    if later:
        return
    for number, pixels in frames:
        if number >= stop:
            later.append((number, pixels))
            return
        yield number, pixels
        if number == stop - 1:
            return


def _told(frames: Iterator[Numbered], film: Film, tell: OnFrames) -> Iterator[Numbered]:
    for number, pixels in frames:
        yield number, pixels
        tell(number + 1, film.frames, "editing frames")
