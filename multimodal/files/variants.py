"""A model that is another one's fine-tuned twin, shipped as what differs from it.

The folder of a variant holds

    variant.json              the model it was made from, and the digests of that model's weights
    difference.safetensors    what to add to its generator and its encoder (`low_rank`)
    manifest.json, ...        as any model's; parts besides these replace the base's

It is put together once, in the cache, and is a model folder like any other from then on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from multimodal.files.bundled import (
    CARD,
    HOME,
    MANIFEST,
    PICTURES,
    Bundle,
    find_bundle,
    verify_folder,
    write_manifest,
)
from multimodal.files.low_rank import added
from multimodal.files.low_rank import difference as differing
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError, atomic, cache_dir, read_json, sha256_of

VARIANT, DIFFERENCE = "variant.json", "difference.safetensors"
FORMAT = "semblance-variant"
PARTS = ("generator", "encoder")
"""Networks of a model folder that a variant changes: `<part>.safetensors` with its JSON."""
OF_ONE = (MANIFEST, CARD, PICTURES, "about.json", VARIANT, DIFFERENCE)
"""What a variant and its base each have for themselves."""
MAX_BYTES = 1 << 30


def is_variant(folder: Path) -> bool:
    """Does the folder hold only what differs from another model?"""
    return (folder / VARIANT).is_file()


def completed(folder: Path) -> Path:
    """A model folder that is whole: `folder` itself or, for a variant, the one in the cache, which
    is put together where it is missing or damaged.

    Raises:
        FileNotFoundError: the variant's base is not in this installation, or a file is gone.
        WeightsError: the variant or its base is damaged, or they do not belong together.
    """
    if not is_variant(folder):
        return folder
    mine, base = _own(folder), base_of(folder)
    place = cache_dir() / "variants" / f"{mine.root.name}-{_state(mine, base)}"
    if not _whole(place):
        _put_together(mine, base, place)
    return place


def write_variant(base: Path, model: Path, out: Path) -> Bundle:
    """Store a fine-tuned model as what differs from the one it began as.

    Args:
        base: the folder of the model that was fine-tuned.
        model: the folder of the result: a generator and an encoder of the same shapes.
        out: the variant's folder; other files in it become parts of the variant.

    Raises:
        FileNotFoundError: a network is missing from one of the folders.
        ValueError: the networks have other shapes than those of the base.
        WeightsError: a folder is damaged.
    """
    began = find_bundle(base.resolve())
    began.verify()
    verify_folder(model)
    kept: dict[str, Tensor] = {}
    for part in PARTS:
        if _shape(base, part) != _shape(model, part):
            raise ValueError(f"the {part} of {model} has another shape than that of {base}")
        moved = differing(_tensors(base, part), _tensors(model, part))
        kept |= {f"{part}/{name}": tensor for name, tensor in moved.items()}
    out.mkdir(parents=True, exist_ok=True)
    with atomic(out / DIFFERENCE) as file:
        save_file({name: tensor.contiguous() for name, tensor in kept.items()}, file)
    made_from = {part: sha256_of(base / f"{part}.safetensors") for part in PARTS}
    about = {"format": FORMAT, "base": began.root.name, "made_from": made_from}
    _write_json(out / VARIANT, about)
    licences = {name: file.licence for name, file in began.files.items()}
    both = sorted({licences[f"{part}.safetensors"] for part in PARTS}, key=len)
    return write_manifest(out, licences | {DIFFERENCE: _joined(both)})


def _joined(licences: list[str]) -> str:
    """SPDX expressions as one; what another says already is not said twice."""
    said = licences[-1:]
    said += [one for one in licences[:-1] if one not in said[0].split(" AND ")]
    return " AND ".join(said)


def _own(folder: Path) -> Bundle:
    """What the variant itself holds.

    Raises:
        WeightsError: its manifest is missing or does not name what makes a variant.
    """
    root = folder.resolve()
    if not (root / MANIFEST).is_file():
        raise WeightsError(f"the variant in {root} has no {MANIFEST}")
    bundle = find_bundle(root)
    if not {VARIANT, DIFFERENCE} <= bundle.files.keys():
        raise WeightsError(f"{root / MANIFEST} does not name {VARIANT} and {DIFFERENCE}")
    return bundle


def _state(*bundles: Bundle) -> str:
    """Digits that tell models from other states of themselves; their cards do not matter."""
    files = [(n, f.sha256) for b in bundles for n, f in sorted(b.files.items())]
    known = [(n, sha) for n, sha in files if n.partition("/")[0] not in (CARD, PICTURES)]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]


def base_of(folder: Path) -> Bundle:
    """The model that a variant was made from: beside it, else a shipped one.

    Raises:
        FileNotFoundError: it is in neither place.
        WeightsError: the variant does not say what it was made from, or it was another state of it.
    """
    mine = _own(folder)
    about = read_json(mine.root / VARIANT)
    name, made_from = about.get("base"), about.get("made_from")
    plain = isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name
    if about.get("format") != FORMAT or not plain or not isinstance(made_from, dict):
        raise WeightsError(f"{mine.root / VARIANT} does not describe a variant")
    places = [home / str(name) for home in (mine.root.parent, HOME)]
    bundle = find_bundle(places[0] if (places[0] / MANIFEST).is_file() else places[1])
    for part in PARTS:
        file = bundle.files.get(f"{part}.safetensors")
        if file is None or file.sha256 != made_from.get(part):
            raise WeightsError(
                f"the variant {mine.root.name!r} was made from another {part} than the one in "
                f"{bundle.root}: make it anew (recipes.pack.pack_variant), or restore both"
            )
    return bundle


def _whole(place: Path) -> bool:
    try:
        find_bundle(place).verify()
    except (FileNotFoundError, WeightsError):
        return False
    return True


def _put_together(mine: Bundle, base: Bundle, place: Path) -> None:
    """Build the folder beside its place and rename it. Only what the manifests name is taken, and
    only as they describe it."""
    for bundle in (mine, base):
        bundle.verify()
    place.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    stage.chmod(0o755)  # mkdtemp makes private folders
    try:
        for bundle in (base, mine):
            _copy(bundle, stage)
        for part, kept in _differences(mine.root / DIFFERENCE).items():
            _write_part(stage, part, added(_tensors(base.root, part), kept))
        licences = {name: file.licence for name, file in (base.files | mine.files).items()}
        write_manifest(stage, licences).verify()
        _rename(stage, place)
    except ValueError as error:
        raise WeightsError(f"{mine.root} does not fit {base.root}: {error}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _copy(bundle: Bundle, stage: Path) -> None:
    """Every file that is a part of the model, but the networks that change."""
    changed = {f"{part}.safetensors" for part in PARTS}
    for name in bundle.files:
        if name not in changed and name.partition("/")[0] not in OF_ONE:
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.root / name, stage / name)


def _rename(stage: Path, place: Path) -> None:
    """Another process may have been quicker, or a damaged folder may lie there."""
    try:
        os.replace(stage, place)
    except OSError:
        if _whole(place):
            return
        aside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        os.replace(place, aside)
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(stage, place)


def _differences(path: Path) -> dict[str, dict[str, Tensor]]:
    """What to add, by part and name."""
    kept: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for key, tensor in _read(path).items():
        part, _, name = key.partition("/")
        if part not in kept:
            raise WeightsError(f"{path} changes {part!r}, which no variant can")
        kept[part][name] = tensor
    return kept


def _write_part(folder: Path, part: str, tensors: Mapping[str, Tensor]) -> None:
    path = folder / f"{part}.safetensors"
    with atomic(path) as file:
        save_file(dict(tensors), file)
    beside = path.with_suffix(".json")
    _write_json(beside, read_json(beside) | {"sha256": sha256_of(path)})


def _tensors(folder: Path, part: str) -> dict[str, Tensor]:
    path = folder / f"{part}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {part}")
    return _read(path)


def _read(path: Path) -> dict[str, Tensor]:
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"{path} is larger than {MAX_BYTES} bytes")
    return read_tensors(path)


def _shape(folder: Path, part: str) -> Any:
    return read_json(folder / f"{part}.json").get("config")


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with atomic(path) as part:
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
