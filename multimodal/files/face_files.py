"""Inverted faces on disk: one `.safetensors` with the code, the crop, the photo and the report.

Pictures are PNG bytes in uint8 tensors; what is not a tensor is JSON in the file's metadata. A file
may come from anybody: nothing in it is executed, sizes are bounded and every shape is checked.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from multimodal.files.untrusted.tensors import check_header
from multimodal.files.weights import WeightsError, atomic, check_file
from multimodal.images import load_image
from multimodal.meant import Meant

FORMAT = "semblance-face"
VERSION = 1
MAX_BYTES = 1 << 30
MAX_METADATA = 1 << 20
MAX_TENSORS = 2000
MAX_MEANT = 200
MAX_ALIGNED_PIXELS = 2048 * 2048
LANDMARKS = (68, 2)


@dataclass(frozen=True)
class FaceRecord:
    """A face as its file holds it; the fields are those of `multimodal.types.Face`, its code apart.

    Args:
        w: code in W+, `[1, L, D]`.
        styles, noise: the code in S and the noise maps, or None.
        rest, rest_styles: the code of the photo where `w` has edits already, or None.
        meant: what the words of those edits said.
    """

    w: Tensor
    aligned: Image.Image
    styles: tuple[Tensor, ...] | None = None
    noise: tuple[Tensor, ...] | None = None
    transform: Any | None = None
    photo: Image.Image | None = None
    tuned: Mapping[str, Tensor] | None = None
    landmarks: Tensor | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    crop: Image.Image | None = None
    rest: Tensor | None = None
    rest_styles: tuple[Tensor, ...] | None = None
    meant: tuple[Meant, ...] = ()


def write_face(face: FaceRecord, path: str | Path) -> Path:
    """Write a face; returns the path.

    Raises:
        ValueError: the file name does not end in `.safetensors`, or the latent is a batch.
    """
    target = Path(path)
    if target.suffix != ".safetensors":
        raise ValueError(f"cannot save a face as {target.name!r}: end the name in .safetensors")
    if face.w.shape[0] != 1:
        raise ValueError(f"a face has one code, this latent has {face.w.shape[0]}")
    about = {
        "format": FORMAT,
        "version": VERSION,
        "report": _plain(face.report),
        "meant": [[one.sense, one.amount, one.color] for one in face.meant[:MAX_MEANT]],
        "transform": _packed(face.transform) if face.photo is not None else None,
    }
    with atomic(target) as part:
        save_file(_tensors(face), part, {"face": json.dumps(about)})
    return target


def read_face(path: str | Path) -> FaceRecord:
    """Read a face that `write_face` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, too large, or a tensor of a wrong shape or not finite.
    """
    source = check_file(Path(path))
    if source.stat().st_size > MAX_BYTES:
        raise ValueError(f"{source.name} is larger than a face can be ({MAX_BYTES >> 20} MiB)")
    try:
        check_header(source)
        with safe_open(source, "pt") as file:
            about = _about(file.metadata(), source.name)
            names = list(file.keys())
            if len(names) > MAX_TENSORS:
                raise ValueError(f"{source.name} holds {len(names)} tensors, too many for a face")
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, WeightsError) as error:
        raise ValueError(f"{source.name} is not a face file: {error}") from error
    return _face(tensors, about, source.name)


def _tensors(face: FaceRecord) -> dict[str, Tensor]:
    found = {"w": face.w, "aligned": _png(face.aligned)}
    found |= {f"styles.{i}": style for i, style in enumerate(face.styles or ())}
    found |= {f"noise.{i}": noise for i, noise in enumerate(face.noise or ())}
    found |= {f"tuned.{key}": value for key, value in (face.tuned or {}).items()}
    if face.landmarks is not None:
        found["landmarks"] = face.landmarks
    if face.rest is not None:
        found["rest"] = face.rest
    found |= {f"rest_styles.{i}": style for i, style in enumerate(face.rest_styles or ())}
    for name, picture in (("photo", face.photo), ("crop", face.crop)):
        if picture is not None:
            found[name] = _png(picture)
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in found.items()}


def _face(tensors: Mapping[str, Tensor], about: Mapping[str, Any], source: str) -> FaceRecord:
    unknown = [name for name in tensors if name.split(".")[0] not in _KINDS]
    if unknown:
        raise ValueError(f"{source} holds {unknown[0]!r}, which is no part of a face")
    for name in ("w", "aligned"):
        if name not in tensors:
            raise ValueError(f"{source} lacks {name!r}: it is not a complete face")
    points, photo, crop = (tensors.get(name) for name in ("landmarks", "photo", "crop"))
    code, rest = (1, (1, 70), (1, 4096)), tensors.get("rest")
    return FaceRecord(
        w=_checked(tensors["w"], code, "w", source),
        styles=_series(tensors, "styles", (1, (1, 4096)), source),
        noise=_series(tensors, "noise", (1, 1, (4, 1024), (4, 1024)), source),
        aligned=_picture(tensors["aligned"], source, MAX_ALIGNED_PIXELS),
        transform=_unpacked(about.get("transform")),
        photo=None if photo is None else _picture(photo, source),
        tuned=_tuned(tensors, source),
        landmarks=None if points is None else _checked(points, LANDMARKS, "landmarks", source),
        report=_plain(about.get("report") or {}),
        crop=None if crop is None else _picture(crop, source, MAX_ALIGNED_PIXELS),
        rest=None if rest is None else _checked(rest, code, "rest", source),
        rest_styles=_series(tensors, "rest_styles", (1, (1, 4096)), source),
        meant=_meant(about.get("meant") or [], source),
    )


_KINDS = (
    "w", "aligned", "styles", "noise", "tuned", "landmarks", "photo", "crop", "rest", "rest_styles",
)  # fmt: skip
Size = int | tuple[int, int]


def _checked(tensor: Tensor, shape: tuple[Size, ...], name: str, source: str) -> Tensor:
    """The tensor as float32, each side equal to a number or within a range."""
    bounds = [(size, size) if isinstance(size, int) else size for size in shape]
    fits = len(tensor.shape) == len(shape) and all(
        low <= side <= high for side, (low, high) in zip(tensor.shape, bounds, strict=True)
    )
    if not fits or not tensor.is_floating_point():
        raise ValueError(f"{source}: {name} is {tensor.dtype} of shape {tuple(tensor.shape)}")
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"{source}: {name} holds numbers that are not finite")
    return tensor.float()


def _series(
    tensors: Mapping[str, Tensor], kind: str, shape: tuple[Size, ...], source: str
) -> tuple[Tensor, ...] | None:
    names = [name for name in tensors if name.startswith(f"{kind}.")]
    wanted = [f"{kind}.{i}" for i in range(len(names))]
    if set(names) != set(wanted) or len(names) > 64:
        raise ValueError(f"{source}: {kind} are not numbered 0, 1, 2, ...")
    return tuple(_checked(tensors[name], shape, name, source) for name in wanted) or None


def _tuned(tensors: Mapping[str, Tensor], source: str) -> dict[str, Tensor] | None:
    found = {}
    for name, tensor in tensors.items():
        if name.startswith("tuned."):
            if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
                raise ValueError(f"{source}: {name} is not made of finite numbers")
            found[name.removeprefix("tuned.")] = tensor
    return found or None


def _png(image: Image.Image) -> Tensor:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG")
    return torch.from_numpy(np.frombuffer(buffer.getvalue(), np.uint8).copy())


def _picture(tensor: Tensor, source: str, max_pixels: int | None = None) -> Image.Image:
    if tensor.ndim != 1 or tensor.dtype != torch.uint8:
        raise ValueError(f"{source}: a picture is {tensor.dtype} of shape {tuple(tensor.shape)}")
    limits = {} if max_pixels is None else {"max_pixels": max_pixels}
    return load_image(tensor.numpy().tobytes(), max_bytes=MAX_BYTES, **limits)


def _about(metadata: Mapping[str, str] | None, source: str) -> dict[str, Any]:
    text = (metadata or {}).get("face", "")
    if not text or len(text) > MAX_METADATA:
        raise ValueError(f"{source} is not a face file: it has no description of one")
    try:
        about = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{source}: its description is not JSON: {error}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ValueError(f"{source} is not a face file")
    if about.get("version") != VERSION:
        raise ValueError(f"{source} has face format {about.get('version')}, expected {VERSION}")
    return about


def _meant(rows: Any, source: str) -> tuple[Meant, ...]:
    """What words said, each row a class, an amount, and a colour or nothing."""
    found = []
    for row in rows[:MAX_MEANT] if isinstance(rows, list) else ():
        sense, amount, color = row if isinstance(row, list) and len(row) == 3 else (None, 0, None)
        shade = color if isinstance(color, list) and len(color) == 3 else []
        numbers = [amount, *shade]
        known = isinstance(sense, str) and len(sense) < 80
        if not known or not all(isinstance(n, int | float) and abs(n) <= 100 for n in numbers):
            raise ValueError(f"{source}: what was said about this face cannot be read")
        named = None if not shade else (float(shade[0]), float(shade[1]), float(shade[2]))
        found.append(Meant(str(sense), float(amount), named))
    return tuple(found)


def _plain(report: Any) -> dict[str, Any]:
    """The entries of a report that are words, finite numbers or lists of words."""
    kept: dict[str, Any] = {}
    for name, value in report.items() if isinstance(report, Mapping) else ():
        words = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        if words or isinstance(value, str | bool | int) or _is_number(value):
            kept[str(name)] = list(value) if words else value
    return kept


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _packed(transform: Any) -> dict[str, Any] | None:
    """Where the crop lies in the photo, as plain numbers."""
    return None if transform is None else transform.to_dict()


def _unpacked(values: Any) -> Any | None:
    """The transform of those numbers, which it checks itself."""
    if not isinstance(values, dict):
        return None
    from multimodal.faces.align import FaceTransform

    return FaceTransform.from_dict(values)
