"""torch's own files, before torch reads them: stored bytes against claimed sizes.

torch takes memory for what a file says of its storages, unpacks what a zip has compressed, and
rebuilds tensors of any shape over a storage of one number. Here the pickle inside is read with
stand-ins for everything (nothing of it runs), and what it claims is added up.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import IO, Any

import torch
from torch import Tensor

from multimodal.files.untrusted.pickles import Allowance, Callee, count_steps
from multimodal.files.weights import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
"""What torch's older files begin with, pickled."""
WIDTHS = {"Double": 8, "Long": 8, "ComplexFloat": 8, "ComplexDouble": 16, "Float": 4, "Int": 4} | {
    "Half": 2, "BFloat16": 2, "Short": 2,
}  # fmt: skip
"""Bytes of a number by its storage's name; 1 for all others."""
MAX_MEMBERS = 100_000
SHARED = 4
"""How often all tensors together may hold the bytes of the file (tied weights share theirs)."""
SPARE = 1 << 20


def check_torch(file: IO[bytes], name: str) -> None:
    """Refuse a torch file that claims more than it holds; its place is the beginning afterwards.

    Raises:
        WeightsError: packed members, storages or tensors larger than their bytes, a damaged pickle.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    packed = file.read(4) == b"PK\x03\x04"  # as torch tells them apart
    file.seek(0)
    (_check_zip if packed else _check_stream)(file, size, name)
    file.seek(0)


def check_loaded(contents: Any, size: int, name: str) -> None:
    """Refuse tensors that are larger than what they lie in.

    Args:
        contents: what torch read.
        size: bytes of the file.
        name: of the file, for messages.

    Raises:
        WeightsError: a tensor repeats its numbers, or has none of its own.
    """
    left, counted = SHARED * size + SPARE, set()
    for tensor in _tensors(contents):
        plain = tensor.layout == torch.strided and tensor.device.type != "meta"
        if not plain or tensor.is_quantized:
            raise WeightsError(f"{name} holds a tensor that is not made of plain numbers")
        held = tensor.numel() * tensor.element_size()
        region = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        left -= 0 if region in counted else held  # a second name of it takes no memory
        counted.add(region)
        if held > tensor.untyped_storage().nbytes() or left < 0:
            raise WeightsError(
                f"{name}: a tensor claims the shape {tuple(tensor.shape)}, "
                "more numbers than the file holds"
            )


def _tensors(contents: Any) -> Iterable[Tensor]:
    seen, waiting = set(), [contents]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, Mapping) else value)


def _check_zip(file: IO[bytes], size: int, name: str) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            stored = all(m.compress_type == zipfile.ZIP_STORED for m in members)
            names = {m.filename for m in members}
            whole = sum(m.file_size for m in members)
            if not stored or whole > size or not len(names) == len(members) <= MAX_MEMBERS:
                raise WeightsError(f"{name} is a packed zip, which torch does not write")
            sizes = {m.filename.partition("/data/")[2]: m.file_size for m in members}
            for member in members:
                if member.filename.endswith("data.pkl"):
                    data = io.BytesIO(archive.read(member))
                    steps = count_steps(data, name)
                    data.seek(0)
                    _Claims(data, steps, size, name, sizes).load()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{name} is damaged or not a torch checkpoint") from error


def _check_stream(file: IO[bytes], size: int, name: str) -> None:
    """torch's older files: magic number, version, system, contents, each a pickle of its own."""
    for part in range(4):
        start = file.tell()
        steps = count_steps(file, name)
        file.seek(start)
        try:
            found = _Claims(file, steps, size, name).load()
        except pickle.UnpicklingError as error:
            raise WeightsError(f"{name} is damaged or not a torch checkpoint") from error
        if part == 0 and found != MAGIC:
            return  # torch refuses it, too


class _Anything:
    """Stands for every object that does not matter here."""

    def __new__(cls, *given: Any) -> _Anything:
        return super().__new__(cls)

    def __init__(self, *given: Any) -> None:
        """Forget what it was made of."""

    def __setstate__(self, state: object) -> None:
        """Forget the state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Forget the item."""

    def append(self, value: object) -> None:
        """Forget the item."""

    extend = add = append


class _Storage(_Anything):
    numbers = 0
    bytes = 0


class _Claims(pickle.Unpickler):
    """Reads a pickle with stand-ins and adds up what its storages and tensors claim."""

    def __init__(
        self,
        file: IO[bytes],
        steps: int,
        size: int,
        name: str,
        members: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(file, encoding="latin1")
        self._size, self._name, self._members = size, name, members
        self._allowance = Allowance(steps, size)
        self._claimed: dict[str, int] = {}
        self._total = 0

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, whatever the name."""
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            return name
        if module == "torch" and name.endswith("Tensor"):
            return Callee(self._refuse)
        known = {
            ("torch._utils", "_rebuild_tensor"): Callee(self._tensor),
            ("torch._utils", "_rebuild_tensor_v2"): Callee(self._tensor),
            ("torch._utils", "_rebuild_tensor_v3"): Callee(self._tensor),
            ("torch._tensor", "_rebuild_from_type_v2"): Callee(self._from_type),
            ("collections", "OrderedDict"): self._allowance.copied(OrderedDict),
            ("collections", "Counter"): self._allowance.copied(Counter),
            ("builtins", "set"): self._allowance.copied(set),
            ("__builtin__", "set"): self._allowance.copied(set),
            ("builtins", "bytearray"): Callee(self._bytes),
            ("__builtin__", "bytearray"): Callee(self._bytes),
            ("_codecs", "encode"): Callee(self._bytes),
        }
        return known.get((module, name), _Anything)

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage: what it claims is held against its bytes."""
        found = _Storage()
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            return found
        kind, key, numbers = pid[1], str(pid[2]), pid[4]
        width = WIDTHS.get(str(kind).removesuffix("Storage"), 1)
        if not isinstance(numbers, int) or numbers < 0:
            raise WeightsError(f"{self._name} is damaged: a storage of {numbers!r:.40} numbers")
        found.numbers, found.bytes = numbers, numbers * width
        known = self._claimed.get(key, 0)
        self._claimed[key] = max(known, found.bytes)
        self._total += self._claimed[key] - known
        own = self._size if self._members is None else self._members.get(key, self._size)
        if found.bytes > own or self._total > self._size:
            raise WeightsError(
                f"{self._name}: a storage claims {found.bytes} bytes, more than the file holds"
            )
        return found

    def _tensor(self, storage: Any, _: Any, size: Any, *rest: Any) -> _Anything:
        sides = size if isinstance(size, tuple) else ()
        if not all(isinstance(side, int) and side >= 0 for side in sides) or len(sides) > 64:
            raise WeightsError(f"{self._name} is damaged: a tensor of shape {size!r:.80}")
        numbers = getattr(storage, "numbers", 0)
        claimed = math.prod(side for side in sides if side)
        if math.prod(sides) > numbers or claimed > max(numbers, self._size):
            raise WeightsError(
                f"{self._name}: a tensor claims the shape {tuple(sides)}, "
                "more numbers than the file holds"
            )
        return _Anything()

    def _from_type(self, function: Any, kind: Any, given: Any, state: Any) -> Any:
        return function(*given)

    def _bytes(self, *given: Any) -> bytes:
        first = given[0] if given else b""
        self._allowance.spend(first if isinstance(first, int) else len(first))
        return b""

    def _refuse(self, *given: Any) -> None:
        raise WeightsError(f"{self._name} makes tensors without bytes of their own")
