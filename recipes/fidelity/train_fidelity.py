"""Make the looks of photographs, and learn to read them off drawings.

    python -m recipes.fidelity.train_fidelity --portraits PORTRAITS --out runs/fidelity

The portraits are aligned photographs with an `index.csv` (`file`, `split`, `person`,
`expression`); those of the split `train` are used. `groups.csv` names old and young, men and
women, surprised faces; pairs of one person neutral and smiling are found by the index. What was
worked out stays in the folder, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from multimodal.fidelity.looks.prototypes import Looks
from multimodal.fidelity.looks.reading import features
from multimodal.fidelity.mesh import BROWS, EYES, GROWN, OUTER_LIPS, OVAL, face_meshes
from multimodal.files.weights import atomic
from multimodal.images import load_image, to_tensor
from recipes.fidelity.averages import SIDE, Average, Frame, frame_of
from recipes.fidelity.expressions import lively, sad
from recipes.fidelity.lines import lines_of

if TYPE_CHECKING:
    from multimodal import FaceEditor

GROUPS = Path(__file__).with_name("groups.csv")
TEXTURE = 128
PROMPTS = {
    "an old person": ("old", 1.0),
    "a child": ("child", 1.0),
    "a man": ("man", 1.0),
    "a woman": ("man", -1.0),
    "a smiling face": ("smile", 1.0),
    **dict.fromkeys(
        ("a surprised face", "a sad face", "blond hair", "black hair", "red hair", "grey hair",
         "red lipstick", "glasses", "a beard", "a bald head"), ("", 0.0),
    ),
}  # fmt: skip
"""What is drawn for the reading, the look it is, and how much of it."""
GAINS = {"old": 1.15, "child": 1.4, "man": 1.4, "smile": 1.9}
"""How much of a look the median drawing of it calls for; others are taken on by words alone."""
LINED = tuple(
    f"sfhq_t2i/t2i_tiles_textual_search_2_Ethnicity_x_Age_1_top_10_matches_{number}.jpg"
    for number in ("031", "049", "050")
)
"""Old faces whose lines are taken: of nobody, evenly lit, without beard and glasses."""
CONTRAST = {"old": 0.15, "man": 0.35, "child": 0.8}
"""Share of the difference of fine contrast that is taken; elsewhere all."""
RIDGE, RANK = 1.0, 90


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph of the training split: its row of the index, and its mesh `[468, 3]`."""

    row: dict[str, str]
    mesh: np.ndarray


def photographs(folder: Path, kept: Path) -> list[Photograph]:
    """The photographs with their meshes, which are kept in a file."""
    with open(folder / "index.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    if not kept.is_file():
        meshes = [face_meshes(to_tensor(load_image(folder / r["file"])))[0][0] for r in rows]
        _keep(kept, meshes=torch.stack(meshes).double().numpy())
    meshes = np.load(kept)["meshes"]
    return [Photograph(*pair) for pair in zip(rows, meshes, strict=True)]


def grouped(photos: list[Photograph], groups: Path) -> dict[str, list[Photograph]]:
    """Photographs by group: those of the table, and neutral and smiling ones of one person."""
    with open(groups, newline="", encoding="utf-8") as file:
        named = {row["file"]: row["group"] for row in csv.DictReader(file)}
    found: dict[str, list[Photograph]] = {}
    for photo in photos:
        group = named.get(photo.row["file"])
        if group is not None:
            found.setdefault(group, []).append(photo)
    pairs: dict[str, dict[str, Photograph]] = {}
    for photo in photos:
        pairs.setdefault(photo.row["person"], {})[photo.row["expression"]] = photo
    for pair in pairs.values():
        if {"neutral", "smiling"} <= set(pair):
            for name in ("neutral", "smiling"):
                found.setdefault(name, []).append(pair[name])
    return found


def looks_of(folder: Path, frame: Frame, groups: dict[str, list[Photograph]]) -> dict[str, Average]:
    """Differences of the groups' averages by the names of looks; textures as logarithms."""
    means = {
        name: frame.average((_levels(folder / p.row["file"]), p.mesh) for p in photos)
        for name, photos in groups.items()
    }
    adult = Average(
        (means["woman"].shape + means["man"].shape) / 2,
        (means["woman"].texture + means["man"].texture) / 2,
        np.sqrt(means["woman"].energy * means["man"].energy),
    )
    found = {
        "old": difference(frame, "old", means["old"], adult),
        "child": difference(frame, "child", means["child"], adult),
        "man": difference(frame, "man", means["man"], means["woman"]),
        "smile": difference(frame, "smile", means["smiling"], means["neutral"]),
        "sad": _shape_alone(sad(frame)),
    }
    if "surprised" in means:
        shape = lively(frame, means["surprised"].shape - means["neutral"].shape)
        found["surprised"] = _shape_alone(shape)
    return found


def _shape_alone(shape: np.ndarray) -> Average:
    return Average(shape, np.zeros((SIDE, SIDE, 3)), np.zeros((SIDE, SIDE)))


def difference(frame: Frame, name: str, group: Average, other: Average) -> Average:
    """What a look changes: without the broadest shading, which is light and hair, within the
    face, and less at the eyes, which stay the person's own."""
    face = _inside(frame.places[list(OVAL)], 0.93, 6)
    eyes = np.maximum(*(_inside(frame.places[list(eye)], 1.0, 1.5) for eye in EYES))
    texture = (group.texture - other.texture).astype(np.float32)
    broad = cv2.GaussianBlur(texture * face[..., None], (0, 0), 28)
    texture -= 0.7 * broad / (cv2.GaussianBlur(face, (0, 0), 28) + 1e-3)[..., None]
    grey = texture.mean(axis=-1, keepdims=True)
    lids = np.maximum(*(_inside(frame.places[list(eye)], 1.8, 4) for eye in EYES))
    hue = (0.7 - 0.45 * lids)[..., None]  # reddened lids look ill
    texture = (grey + hue * (texture - grey)) * (face * (1 - 0.8 * eyes))[..., None]
    contrast = np.log(group.energy / other.energy) @ np.array([0.6, 0.4, 0.0])
    contrast = contrast * face * (1 - 0.7 * eyes) * CONTRAST.get(name, 1.0)
    if name == "smile":
        texture = texture * 0.6
    if name == "man":  # how the groups' foreheads and noses were lit is no matter of sex
        texture = texture * _marked(frame)[..., None]
    if name == "child":  # hair that falls into children's foreheads is none of their skin
        texture = _without_fringe(texture)
    return Average(group.shape - other.shape, texture, contrast.astype(np.float32))


def _marked(frame: Frame) -> np.ndarray:
    """Where faces of men and women differ in colour: brows, eyes, lips, beard; `[S, S]`."""
    outlines = [BROWS[0][:5] + BROWS[0][:4:-1], BROWS[1][:5] + BROWS[1][:4:-1], *EYES, OUTER_LIPS]
    sizes, blurs = (1.5, 1.5, 1.7, 1.7, 1.15), (3, 3, 4, 4, 2)
    parts = [
        _inside(frame.places[list(outline)], size, blur)
        for outline, size, blur in zip(outlines, sizes, blurs, strict=True)
    ]
    jaw = _inside(frame.places[list(GROWN)], 1.0, 8)
    return np.maximum.reduce([*parts, 0.8 * jaw]).clip(0, 1)


def _without_fringe(texture: np.ndarray) -> np.ndarray:
    """A texture `[S, S, 3]` that darkens nothing above the brows."""
    line = (np.arange(len(texture)) + 0.5) / len(texture)
    dark, bright = ((line - low) / (high - low) for low, high in ((0.24, 0.36), (0.12, 0.22)))
    dark, bright = (t.clip(0, 1)[:, None, None] ** 2 for t in (dark, bright))
    return np.minimum(texture, 0) * dark + np.maximum(texture, 0) * bright


def drawn(editor: FaceEditor, folder: Path, photos: list[Photograph], kept: Path) -> Iterator[Path]:
    """Files of drawings: each photograph's before, and after each prompt; drawn once."""
    kept.mkdir(parents=True, exist_ok=True)
    for photo in photos:
        path = kept / (photo.row["file"].replace("/", "_") + ".npz")
        if not path.is_file():
            method = "adam" if editor.encoder is None else "encoder"
            face = editor.invert(folder / photo.row["file"], method, aligned=True)
            pictures = [editor.reconstruct(face)]
            for text in PROMPTS:
                pictures.append(editor.edit(face, text=text, fidelity="drawing").after)
            _keep(path, pictures=np.stack([np.asarray(picture) for picture in pictures]))
        yield path


def reading_of(known: Looks, files: list[tuple[Path, str]]) -> np.ndarray:
    """The linear reading `[F, K]` of drawings, by ridge regression.

    Args:
        known: the looks.
        files: drawings of each face, and the group that the face belongs to.
    """
    rows, goals = [], []
    for path, group in files:
        pictures = np.load(path)["pictures"].astype(np.float32) / 255
        tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2) * 2 - 1
        meshes = face_meshes(tensor)[0][..., :2].double().numpy()
        wishes = zip(PROMPTS.items(), pictures[1:], meshes[1:], strict=True)
        for (text, (name, much)), picture, mesh in wishes:
            if text in ("a man", "a woman") and group != ("woman" if text == "a man" else "man"):
                continue  # who is one already is drawn unchanged
            rows.append(features(pictures[0], picture, (meshes[0], mesh), known))
            goals.append([much if look == name else 0.0 for look in known.names])
    seen, wanted = np.array(rows), np.array(goals)
    seen2, wanted2 = np.concatenate([seen, seen / 2]), np.concatenate([wanted, wanted / 2])
    basis = np.linalg.svd(seen2, full_matrices=False)[2][:RANK].T
    small = seen2 @ basis
    solved = np.linalg.solve(small.T @ small + RIDGE * np.eye(basis.shape[1]), small.T @ wanted2)
    reading = basis @ solved
    found = seen @ reading
    for index, name in enumerate(known.names):
        asked = wanted[:, index] > 0
        median = float(np.median(found[asked, index])) if asked.any() else 1.0
        reading[:, index] *= GAINS.get(name, 0.0) / max(median, 0.1)
    return reading


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--portraits", type=Path, required=True, help="photographs with index.csv")
    parser.add_argument("--groups", type=Path, default=GROUPS, help="table of files and groups")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--model", default="default", help="whose drawings are read")
    parser.add_argument("--faces", type=int, default=80, help="photographs that are drawn")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    from apps.edits import load_editor

    given.out.mkdir(parents=True, exist_ok=True)
    photos = photographs(given.portraits, given.out / "meshes.npz")
    groups = grouped(photos, given.groups)
    frame = frame_of(np.stack([photo.mesh for photo in photos]))
    looks = looks_of(given.portraits, frame, groups)
    lined = [photo for photo in photos if photo.row["file"] in LINED]
    faces = [(_levels(given.portraits / photo.row["file"]), photo.mesh) for photo in lined]
    known = packed(frame, looks, lines_of(faces, frame.places))
    labelled = [(photo, name) for name in ("man", "woman") for photo in groups[name]]
    order = np.random.default_rng(given.seed).permutation(len(labelled))[: given.faces]
    chosen = [labelled[index] for index in order]
    editor = load_editor(given.model)
    files = drawn(editor, given.portraits, [p for p, _ in chosen], given.out / "drawings")
    reading = reading_of(known, list(zip(files, [name for _, name in chosen], strict=True)))
    save(known, reading, given.out / "looks.safetensors")


def packed(frame: Frame, looks: dict[str, Average], lines: np.ndarray) -> Looks:
    """The looks at the size in which they are stored, without a reading."""
    size, how = (TEXTURE, TEXTURE), cv2.INTER_AREA
    return Looks(
        tuple(looks),
        np.stack([look.shape for look in looks.values()]),
        np.stack([cv2.resize(look.texture, size, interpolation=how) for look in looks.values()]),
        np.stack([cv2.resize(look.energy, size, interpolation=how) for look in looks.values()]),
        frame.mesh,
        frame.places,
        np.zeros((0, len(looks))),
        lines,
    )


def save(known: Looks, reading: np.ndarray, path: Path) -> Path:
    """Write looks as `multimodal.fidelity.looks.prototypes` reads them; returns the path."""
    tensors = {
        "shapes": torch.from_numpy(known.shapes).float(),
        "textures": torch.from_numpy(known.textures).half(),
        "details": torch.from_numpy(known.details).half(),
        "mesh": torch.from_numpy(known.mesh).float(),
        "places": torch.from_numpy(known.places).float(),
        "reading": torch.from_numpy(reading).float(),
        "lines": torch.from_numpy(known.lines).half(),
    }
    with atomic(path) as part:
        save_file(
            {k: v.contiguous() for k, v in tensors.items()}, part, {"names": ",".join(known.names)}
        )
    return path


def _keep(path: Path, **arrays: np.ndarray) -> None:
    with atomic(path) as part, open(part, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _levels(path: Path) -> np.ndarray:
    return np.asarray(load_image(path), np.float32) / 255


def _inside(outline: np.ndarray, size: float, blur: float) -> np.ndarray:
    """The soft inside of an outline in parts of a texture's side, `[S, S]`."""
    middle = outline.mean(axis=0)
    points = (middle + (outline - middle) * size) * SIDE
    mask = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(mask, [np.round(points * 16 - 8).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), blur)


if __name__ == "__main__":
    main()
