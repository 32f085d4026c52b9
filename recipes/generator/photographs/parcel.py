"""Everything that a training elsewhere needs, in one folder of at most 64 MiB; and what it leaves.

    python -m recipes.generator.photographs.parcel --photos portraits \
        --model multimodal/bundle/default --out runs/parcel

The folder holds the code, the portraits as JPEG, the networks to go on with and those that judge.
`python -m recipes.generator.photographs.train --parcel .` in it then needs no other file, and
packages from a registry only for PyTorch, Lightning, timm, Pillow and typer.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from guidance.common import load_tensors, save_tensors
from multimodal.files.eight_bits import rounded
from multimodal.files.weights import atomic
from multimodal.images import load_image
from multimodal.recognition.dlib_resnet import DlibFace, DlibResNet, load_dlib_face
from recipes.generator.photographs.portraits import INDEX, Portrait, read_index

LIMIT = 64 * 2**20
PART = 15 * 2**20
"""Most bytes of a checkpoint's file."""
MODEL_FILES = ("generator", "encoder", "edits")
CODE = ("multimodal", "guidance", "recipes")
ALEX, DLIB = "lpips-alex.safetensors", "dlib.safetensors"
KIND = "photographs"


def pack(
    photos: Path, model: Path, out: Path, leave_out: tuple[str, ...] = (), quality: int = 74
) -> int:
    """Write the folder; returns its size in bytes.

    Args:
        photos: portraits with their index; those held out stay at home.
        model: folder of the model to go on with.
        out: a new folder.
        leave_out: sources of portraits that are not wanted.
        quality: of the JPEG files.

    Raises:
        FileExistsError: `out` is there.
        ValueError: more than 64 MiB.
    """
    if out.exists():
        raise FileExistsError(f"{out} exists: give a new folder")
    for name in CODE:
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors", "bundle", "*.jpg", "*.png")
        shutil.copytree(Path(__file__).parents[3] / name, out / name, ignore=ignored)
    _pack_lpips(out)
    (out / "model").mkdir()
    for name in MODEL_FILES:
        for file in model.glob(f"{name}.*"):
            shutil.copy(file, out / "model" / file.name)
    pack_judges(out / "judges")
    pack_portraits(read_index(photos, "train", leave_out), photos, out / "photos", quality)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    if size > LIMIT:
        raise ValueError(f"{out} has {size / 2**20:.1f} MiB, more than 64: lower --quality")
    return size


def _pack_lpips(out: Path) -> None:
    spec = importlib.util.find_spec("lpips")
    if spec is None or spec.origin is None:
        raise ValueError("the package lpips is not installed")
    ignored = shutil.ignore_patterns("__pycache__", "v0.0", "vgg.pth", "squeeze.pth")
    shutil.copytree(Path(spec.origin).parent, out / "lpips", ignore=ignored)


def pack_judges(folder: Path) -> None:
    """Write LPIPS' convolutions in float16 and the identity network in 8 bits."""
    from multimodal.files.lpips_weights import lpips_backbone

    alex = {key: tensor.half() for key, tensor in lpips_backbone("alex").items()}
    save_tensors(folder / ALEX, alex, {"kind": KIND})
    stored: dict[str, Tensor] = {}
    for key, tensor in load_dlib_face().state_dict().items():
        stored |= rounded(key, tensor) if tensor.ndim > 1 else {key: tensor}
    save_tensors(folder / DLIB, stored, {"kind": KIND})


def load_judge(folder: Path) -> DlibFace:
    """The identity network of a parcel."""
    tensors, _ = load_tensors(folder / DLIB)
    network = DlibFace(DlibResNet())
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def pack_portraits(portraits: list[Portrait], root: Path, folder: Path, quality: int) -> None:
    """Write portraits as JPEG of 256 px with an index of their own."""
    rows = []
    for portrait in portraits:
        name = portrait.file.relative_to(root).with_suffix(".jpg")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture = load_image(portrait.file).convert("RGB").resize((256, 256))
        picture.save(folder / name, "JPEG", quality=quality)
        rows.append([name.as_posix(), portrait.source, portrait.person, "train"])
    with (folder / INDEX).open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([["file", "source", "person", "split"], *rows])


def save_parts(states: Mapping[str, Mapping[str, Tensor]], folder: Path, about: Any) -> None:
    """Write state dicts by name in float16, in files of at most 15 MiB, and what is said of them.

    Args:
        states: by the networks' names.
        folder: earlier files there are replaced.
        about: JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = list(_portions(states))
    for number, portion in enumerate(found):
        save_tensors(folder / f"part_{number}.safetensors", portion, {"kind": KIND})
    with atomic(folder / "parts.json") as part:
        part.write_text(json.dumps({"parts": len(found), "about": about}) + "\n", encoding="utf-8")


def _portions(states: Mapping[str, Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    portion: dict[str, Tensor] = {}
    size = 0
    for name, state in states.items():
        for key, tensor in state.items():
            stored = tensor.half() if tensor.is_floating_point() else tensor
            if portion and size + stored.nbytes > PART:
                yield portion
                portion, size = {}, 0
            portion[f"{name}/{key}"] = stored.detach().cpu().contiguous()
            size += stored.nbytes
    yield portion


def load_parts(folder: Path) -> tuple[dict[str, dict[str, Tensor]], Any]:
    """State dicts by name, in float32, and what is said of them.

    Raises:
        FileNotFoundError: no parts there.
    """
    path = folder / "parts.json"
    if not path.is_file():
        raise FileNotFoundError(f"no parts of a training in {folder}")
    said = json.loads(path.read_text(encoding="utf-8"))
    states: dict[str, dict[str, Tensor]] = {}
    for number in range(int(said["parts"])):
        tensors, _ = load_tensors(folder / f"part_{number}.safetensors")
        for place, tensor in tensors.items():
            name, _, key = place.partition("/")
            value = tensor.float() if tensor.dtype == torch.float16 else tensor
            states.setdefault(name, {})[key] = value
    return states, said["about"]


def main(
    photos: Annotated[Path, typer.Option(help="folder of aligned portraits with an index.csv")],
    model: Annotated[Path, typer.Option(help="folder of the model to go on with")],
    out: Annotated[Path, typer.Option(help="a new folder")],
    leave_out: Annotated[list[str] | None, typer.Option(help="a source of portraits")] = None,
    quality: Annotated[int, typer.Option(min=30, max=95, help="of the JPEG files")] = 74,
) -> None:
    """Pack, and say how much it is."""
    size = pack(photos, model, out, tuple(leave_out or ()), quality)
    typer.echo(f"{out}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    typer.run(main)
