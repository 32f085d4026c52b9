"""Read the weights of a TFLite file: constants as float32, and the steps that use them.

The file is only parsed (`tflite`, the schema's own reader), never run. Stored integers become
numbers by their scale and zero point, for each tensor or for each channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {
    0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_, 7: np.int16,
    9: np.int8, 10: np.float64,
}  # fmt: skip
"""numpy's type of each tensor type of the schema that holds plain numbers."""


@dataclass(frozen=True)
class Affine:
    """How stored integers stand for numbers: `scale * (stored - zero)`.

    Args:
        scale, zero: one value, or one for each channel.
        axis: the channels' axis.
    """

    scale: np.ndarray
    zero: np.ndarray
    axis: int = 0

    def real(self, stored: np.ndarray) -> np.ndarray:
        """float32 numbers of stored integers of any one shape."""
        shape = [1] * stored.ndim
        if len(self.scale) > 1:
            shape[self.axis] = len(self.scale)
        zero, scale = self.zero.reshape(shape), self.scale.reshape(shape)
        out = (stored.astype(np.float64) - zero) * scale
        return np.asarray(out.reshape(stored.shape), dtype=np.float32)


@dataclass(frozen=True)
class Step:
    """One operator: its name, and the indices of the tensors it reads (-1: left out) and writes."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class TfliteFile:
    """The first graph of a TFLite file.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: not a TFLite file.
    """

    def __init__(self, path: Path | str) -> None:
        import tflite

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no TFLite file at {path}")
        content = path.read_bytes()
        if content[4:8] != b"TFL3":
            raise ValueError(f"{path.name} is not a TFLite file")
        self._model: Any = tflite.Model.GetRootAsModel(content, 0)
        self._graph = self._model.Subgraphs(0)

    @cached_property
    def names(self) -> list[str]:
        """Names of all tensors by index; they need not be unique."""
        return [self._tensor(i).Name().decode() for i in range(self._graph.TensorsLength())]

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape of a tensor as the file says it; images are `[B, H, W, C]`."""
        raw = self._tensor(index).ShapeAsNumpy()
        return tuple(int(n) for n in raw) if isinstance(raw, np.ndarray) else ()

    def affine(self, index: int) -> Affine | None:
        """How a tensor is quantised; None for one of plain numbers."""
        found = self._tensor(index).Quantization()
        if found is None or found.ScaleLength() == 0:
            return None
        scale = found.ScaleAsNumpy().astype(np.float64)
        given = found.ZeroPointLength() == len(scale)
        zero = found.ZeroPointAsNumpy().astype(np.float64) if given else np.zeros_like(scale)
        return Affine(scale, zero, int(found.QuantizedDimension()))

    def is_constant(self, index: int) -> bool:
        """Whether the file holds the tensor's values."""
        return self._model.Buffers(self._tensor(index).Buffer()).DataLength() > 0

    def constant(self, index: int) -> np.ndarray:
        """Values of a constant: quantised ones and float16 as float32, others as stored.

        Raises:
            ValueError: no constant, a sparse one, or of a type that is not plain numbers.
        """
        tensor, name = self._tensor(index), self.names[index]
        if not self.is_constant(index):
            raise ValueError(f"tensor {index} ({name}) is computed, not stored")
        if tensor.Sparsity() is not None:
            raise ValueError(f"tensor {index} ({name}) is stored sparsely, which is not read here")
        if tensor.Type() not in TYPES:
            raise ValueError(f"tensor {index} ({name}) has type {tensor.Type()}, not plain numbers")
        raw = np.asarray(self._model.Buffers(tensor.Buffer()).DataAsNumpy(), dtype=np.uint8)
        stored: np.ndarray = np.frombuffer(raw.tobytes(), TYPES[tensor.Type()]).reshape(
            self.shape(index)
        )
        affine = self.affine(index)
        if affine is not None and stored.dtype.kind in "iu":
            return affine.real(stored)
        return stored.astype(np.float32) if stored.dtype == np.float16 else stored.copy()

    def constants(self) -> dict[str, np.ndarray]:
        """Every dense constant by its name; of equal names, the last."""
        found = (i for i in range(len(self.names)) if self.is_constant(i))
        dense = (i for i in found if self._tensor(i).Sparsity() is None)
        return {self.names[i]: self.constant(i) for i in dense}

    @cached_property
    def steps(self) -> list[Step]:
        """The operators in the order they run."""
        return [self._step(self._graph.Operators(i)) for i in range(self._graph.OperatorsLength())]

    def weights(self, step: Step) -> list[np.ndarray]:
        """The constants that a step reads, in order; a float16 one through its DEQUANTIZE."""
        sources = (self._source(index) for index in step.inputs if index >= 0)
        return [self.constant(index) for index in sources if self.is_constant(index)]

    def _source(self, index: int) -> int:
        return self._expanded.get(index, index)

    @cached_property
    def _expanded(self) -> dict[int, int]:
        widened = (s for s in self.steps if s.name == "DEQUANTIZE")
        return {s.outputs[0]: s.inputs[0] for s in widened if self.is_constant(s.inputs[0])}

    def _step(self, operator: Any) -> Step:
        import tflite

        code = self._model.OperatorCodes(operator.OpcodeIndex())
        name = tflite.opcode2name(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
        inputs, outputs = operator.InputsAsNumpy(), operator.OutputsAsNumpy()
        return Step(name, tuple(int(i) for i in inputs), tuple(int(i) for i in outputs))

    def _tensor(self, index: int) -> Any:
        return self._graph.Tensors(index)
