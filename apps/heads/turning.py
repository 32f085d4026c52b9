"""Heads of photos turned, as files: what `semblance turn` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apps.outputs import with_suffix_of
from multimodal.devices import pick_device
from multimodal.files.paths import existing_file
from multimodal.heads.gltf import save_glb
from multimodal.heads.light import direction_of
from multimodal.heads.posing import Pose, pose
from multimodal.heads.solid import solid_of
from multimodal.images import SUFFIXES, load_image, save_image
from multimodal.parsing.files import model_parser

MARK = "head turned or lit by AI"


def pose_of(
    yaw: float,
    pitch: float,
    gaze: str | None,
    blink: float,
    relight: str | None,
    strength: float,
) -> Pose:
    """What the options of the command say.

    Raises:
        ValueError: a figure out of range, or words that say no direction.
    """
    right, down = _degrees(gaze) if gaze else (0.0, 0.0)
    light = direction_of(relight) if relight else None
    return Pose(yaw, pitch, right, down, blink, light, strength)


def turn_file(
    photo: Path,
    how: Pose,
    out: Path | None,
    mesh: Path | None = None,
    model: str = "default",
    device: str = "auto",
    face: int | None = None,
    aligned: bool = False,
) -> dict[str, Any]:
    """Write the photo with its head as asked, the mesh, or both; returns what was written.

    Raises:
        FileNotFoundError: no such photo or model.
        ValueError: nothing to write, or no face whose shape can be found.
    """
    if out is None and mesh is None:
        raise ValueError("nothing to write: give --out a picture, --mesh a .glb, or both")
    if out is not None:
        with_suffix_of(out, SUFFIXES, "a picture")
        if how.still:
            raise ValueError("nothing to turn: give --yaw, --pitch, --gaze, --blink or --relight")
    if mesh is not None:
        with_suffix_of(mesh, [".glb"], "a mesh")
    existing_file(photo, "photo")
    parser = model_parser(model, pick_device(device))
    solid = solid_of(load_image(photo), parser, face, aligned)
    told: dict[str, Any] = {}
    if out is not None:
        told["out"] = str(save_image(pose(solid, how).photo, out, MARK))
    if mesh is not None:
        told["mesh"] = str(save_glb(solid, mesh))
        told |= {"points": len(solid.mesh), "triangles": len(solid.triangles)}
    return told


def _degrees(said: str) -> tuple[float, float]:
    try:
        right, down = (float(part) for part in said.split(","))
    except ValueError:
        raise ValueError(
            f"gaze {said!r}: give degrees to the picture's right and down, as in 15,-5"
        ) from None
    return right, down
