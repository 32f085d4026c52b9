"""NVlabs' pickles (stylegan2-ada-pytorch, stylegan3), read without executing anything of theirs.

Such a file is a pickled dict `G, D, G_ema, ...` of "persistent" modules: each is a call of
`torch_utils.persistence._reconstruct_persistent_obj` with the module's *source code* and its state.
Plain unpickling would run that source. Here the call yields an inert record of the state; tensors
are rebuilt from their bytes, bounded by them; numpy values are skipped; any other global is
refused by name.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from multimodal.files.torch_files import DAMAGED
from multimodal.files.untrusted.pickles import Allowance, Callee, count_steps, refusal
from multimodal.files.untrusted.torch_claims import check_torch
from multimodal.files.weights import WeightsError
from multimodal.generators.layout import CheckpointError, Weights

FORMAT = "NVlabs pickle"
MAX_TENSORS = 10_000
MAX_DEPTH, MAX_NAME = 12, 400
"""Of a tensor's name; public ones have three parts."""


@dataclass
class Record:
    """A persistent object of the file: its class's name and its state, never its code."""

    class_name: str = ""
    state: dict[str, Any] = field(default_factory=dict)

    def __setstate__(self, state: object) -> None:
        raise CheckpointError("the file gives a persistent object another state")

    def child(self, name: str) -> Record | None:
        """The submodule `name`, or None."""
        modules = self.state.get("_modules")
        found = modules.get(name) if isinstance(modules, Mapping) else None
        return found if isinstance(found, Record) else None


@dataclass(frozen=True)
class _Bytes:
    """A storage that was not asked for yet."""

    data: bytes

    def __setstate__(self, state: object) -> None:
        raise CheckpointError("the file gives a storage another state")


@dataclass(frozen=True)
class _LazyTensor:
    """A tensor that was not asked for yet."""

    storage: _Bytes
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def __setstate__(self, state: object) -> None:
        raise CheckpointError("the file gives a tensor another state")

    def load(self) -> Tensor:
        """Read the bytes (with torch's own restricted reader) and shape them."""
        file = io.BytesIO(self.storage.data)
        check_torch(file, "a storage")
        storage = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(storage, torch.storage.TypedStorage):
            raise CheckpointError(f"a tensor's storage is a {type(storage).__name__}")
        numbers = torch.empty(0, dtype=storage.dtype).set_(storage)
        count = math.prod(self.size)
        if count > numbers.numel():
            raise CheckpointError(f"a tensor of {count} numbers is larger than its storage")
        if count < 1:
            raise CheckpointError(f"a tensor of shape {self.size} holds no numbers")
        return numbers.as_strided(self.size, self.stride, self.offset).clone()


class _Opaque:
    """Stands for a value that is not needed (numpy scalars, arrays, types)."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Forget the state."""


class _Options(dict[str, Any]):
    """Stands for a dict with attributes, which is made empty and filled item by item."""

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        """Forget the state."""


class RestrictedUnpickler(pickle.Unpickler):
    """Knows a handful of globals, each mapped to something inert.

    Args:
        file: the pickle.
        steps: how many it has, see `count_steps`.
        size: its bytes; what it makes is bounded by both.
    """

    def __init__(self, file: io.BytesIO, steps: int, size: int) -> None:
        super().__init__(file, encoding="latin1")
        self._allowance = Allowance(steps, size)

    def find_class(self, module: str, name: str) -> Any:
        """The inert stand-in of a global; raises `CheckpointError` for any other."""
        known = self._known().get((module, name))
        if known is not None:
            return known
        root = module.split(".")[0]
        if root == "numpy" and name in (
            "scalar",
            "dtype",
            "ndarray",
            "_reconstruct",
            "_frombuffer",
        ):
            return Callee(self._opaque)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        raise CheckpointError(refusal(f"{module}.{name}"))

    def _known(self) -> Mapping[tuple[str, str], Any]:
        # A pickle may set attributes of whatever it is given here, even of a method's function:
        # `Callee` refuses, `_Options` forgets.
        return {
            ("torch_utils.persistence", "_reconstruct_persistent_obj"): Callee(self._record),
            ("torch._utils", "_rebuild_tensor_v2"): Callee(self._tensor),
            ("torch._utils", "_rebuild_parameter"): Callee(self._parameter),
            ("torch.storage", "_load_from_bytes"): Callee(self._storage),
            ("collections", "OrderedDict"): self._allowance.copied(OrderedDict),
            ("dnnlib.util", "EasyDict"): _Options,
            ("builtins", "set"): self._allowance.copied(set),
            ("__builtin__", "set"): self._allowance.copied(set),
            ("_codecs", "encode"): Callee(self._encode),
        }

    def _record(self, meta: object) -> Record:
        state = meta.get("state") if isinstance(meta, dict) else None
        if not isinstance(meta, dict) or not isinstance(state, dict):
            raise CheckpointError("a persistent object of the file has no state")
        return Record(str(meta.get("class_name", "")), state)

    def _storage(self, data: object) -> _Bytes:
        if not isinstance(data, bytes):
            raise CheckpointError("a tensor's storage is not made of bytes")
        return _Bytes(data)

    def _tensor(self, storage: object, offset: int, size: Any, stride: Any, *_: object) -> Any:
        if not isinstance(storage, _Bytes):
            raise CheckpointError("a tensor of the file has no storage of its own")
        return _LazyTensor(storage, int(offset), tuple(size), tuple(stride))

    def _parameter(self, data: object, *_: object) -> object:
        return data

    def _encode(self, text: str, encoding: str = "latin1") -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise CheckpointError(f"refused the encoding {encoding!r}")
        self._allowance.spend(len(text))
        return text.encode(encoding)

    def _opaque(self, *_: object) -> _Opaque:
        return _Opaque()


def read_pickle(data: bytes, source: str) -> Any:
    """The contents of a pickle with every object inert.

    Raises:
        CheckpointError: a global that is not on the list, a TensorFlow file, or a damaged pickle.
    """
    _refuse_tensorflow(data, source)
    try:
        steps = count_steps(io.BytesIO(data), "the file")
        return RestrictedUnpickler(io.BytesIO(data), steps, len(data)).load()
    except (CheckpointError, WeightsError) as error:
        raise CheckpointError(f"{source}: {error}") from error
    except (EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{source} is a damaged or truncated pickle ({error}); download it again"
        ) from error
    except DAMAGED as error:
        raise CheckpointError(f"{source} is not a pickle of a network ({error})") from error


def read_nvlabs(data: bytes, source: str) -> Weights:
    """The weights of `G_ema` in an NVlabs pickle.

    Raises:
        CheckpointError: not such a file, another family, or damaged.
    """
    contents = read_pickle(data, source)
    if isinstance(contents, tuple):
        raise CheckpointError(f"{source} is a {len(contents)}-tuple, not a dict with G_ema")
    generator = contents.get("G_ema") if isinstance(contents, dict) else contents
    if not isinstance(generator, Record):
        keys = f" with keys {sorted(map(str, contents))}" if isinstance(contents, dict) else ""
        raise CheckpointError(
            f"{source} holds a {type(contents).__name__}{keys}, not a G_ema as NVlabs' "
            "pickles do; tensors are saved with torch.save"
        )
    try:
        state = _loaded(generator, len(data))
    except (CheckpointError, WeightsError) as error:
        raise CheckpointError(f"{source}: {error}") from error
    except DAMAGED as error:
        raise CheckpointError(f"{source}: a tensor cannot be read ({error})") from error
    _check_options(generator, source)
    told = generator.state.get("_init_kwargs")
    options = dict(told) if isinstance(told, dict) else {}
    return Weights(state, FORMAT, _conv_clamp(generator), _lr_multiplier(generator), options)


def _loaded(generator: Record, size: int) -> dict[str, Tensor]:
    """All tensors; together they are no larger than the file, each storage being its own."""
    state: dict[str, Tensor] = {}
    for name, tensor in tensors(generator):
        state[name] = tensor.load()
        size -= state[name].nbytes
        if size < 0 or len(state) > MAX_TENSORS:
            raise CheckpointError("its tensors are larger than the file")
    return state


def tensors(record: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Parameters and buffers of a module by state-dict key, in its order."""
    if prefix.count(".") > MAX_DEPTH or len(prefix) > MAX_NAME:
        raise CheckpointError("its modules lie in one another without end")
    for kind in ("_parameters", "_buffers"):
        entries = record.state.get(kind)
        for name, tensor in entries.items() if isinstance(entries, Mapping) else ():
            if isinstance(tensor, _LazyTensor):
                yield f"{prefix}{name}", tensor
    modules = record.state.get("_modules")
    for name in modules if isinstance(modules, Mapping) else ():
        child = record.child(name)
        if child is not None:
            yield from tensors(child, f"{prefix}{name}.")


def _check_options(generator: Record, source: str) -> None:
    c_dim = generator.state.get("c_dim", 0)
    if isinstance(c_dim, int) and c_dim > 0:
        raise CheckpointError(
            f"{source} holds a class-conditional generator (c_dim {c_dim}); "
            "only unconditional ones are supported"
        )
    synthesis = generator.child("synthesis")
    block = synthesis.child("b4") if synthesis else None
    architecture = block.state.get("architecture", "skip") if block else "skip"
    if architecture != "skip":
        raise CheckpointError(
            f"{source}: architecture {architecture!r} is not supported, 'skip' is"
        )


def _conv_clamp(generator: Record) -> float | None:
    value = _layer_option(generator, ("synthesis", "b4", "conv1"), "conv_clamp")
    if value is None:
        kwargs = generator.state.get("_init_kwargs")
        kwargs = kwargs if isinstance(kwargs, dict) else {}
        nested = kwargs.get("synthesis_kwargs")
        value = kwargs.get(
            "conv_clamp", (nested if isinstance(nested, dict) else {}).get("conv_clamp")
        )
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _lr_multiplier(generator: Record) -> float:
    value = _layer_option(generator, ("mapping", "fc0"), "bias_gain")
    if value is None:
        kwargs = generator.state.get("_init_kwargs")
        nested = kwargs.get("mapping_kwargs") if isinstance(kwargs, dict) else None
        value = nested.get("lr_multiplier") if isinstance(nested, dict) else None
    return float(value) if isinstance(value, int | float) and value > 0 else 0.01


def _layer_option(generator: Record, path: tuple[str, ...], name: str) -> object:
    record: Record | None = generator
    for step in path:
        record = record.child(step) if record else None
    return record.state.get(name) if record else None


def _refuse_tensorflow(data: bytes, source: str) -> None:
    head = data[:4096]
    if b"tflib.network" not in head and b"tfutil" not in head:
        return
    families: tuple[tuple[bytes, str], ...] = (
        (b"networks_stylegan2", "StyleGAN2"),
        (b"networks_stylegan", "StyleGAN1"),
        (b"G_style", "StyleGAN1"),
        (b"G_paper", "PGGAN"),
        (b"G_main", "StyleGAN2"),
    )
    family = next((name for mark, name in families if mark in data), "StyleGAN1 or PGGAN")
    if b"tfutil" in head:
        family = "PGGAN"
    raise CheckpointError(
        f"{source} is a TensorFlow pickle (G, D, Gs) of a {family} network: not supported; "
        "use a PyTorch StyleGAN2 checkpoint (for StyleGAN2, NVlabs' legacy.py converts it)"
    )
