"""Weights out of a TFLite file: a little one, built here."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import tflite

from recipes.pack.tflite import TfliteFile

FLOAT32, FLOAT16, INT8 = 0, 1, 9
KERNEL = np.array([[[[10]], [[-20]]], [[[30]], [[40]]]], dtype=np.int8)
BIAS = np.array([0.5, -0.25], dtype=np.float16)


def _vector(b: flatbuffers.Builder, start: object, offsets: list[int]) -> int:
    start(b, len(offsets))  # type: ignore[operator]
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _quantised(b: flatbuffers.Builder, scale: list[float], zero: list[int]) -> int:
    scales = b.CreateNumpyVector(np.array(scale, dtype=np.float32))
    zeros = b.CreateNumpyVector(np.array(zero, dtype=np.int64))
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scales)
    tflite.QuantizationParametersAddZeroPoint(b, zeros)
    return int(tflite.QuantizationParametersEnd(b))


def _tensor(b: flatbuffers.Builder, name: str, shape: list[int], kind: int, buffer: int,
            quantised: int | None = None) -> int:  # fmt: skip
    label, sizes = b.CreateString(name), b.CreateNumpyVector(np.array(shape, dtype=np.int32))
    tflite.TensorStart(b)
    tflite.TensorAddName(b, label)
    tflite.TensorAddShape(b, sizes)
    tflite.TensorAddType(b, kind)
    tflite.TensorAddBuffer(b, buffer)
    if quantised is not None:
        tflite.TensorAddQuantization(b, quantised)
    return int(tflite.TensorEnd(b))


def _operator(b: flatbuffers.Builder, code: int, inputs: list[int], outputs: list[int]) -> int:
    ins, outs = (b.CreateNumpyVector(np.array(x, dtype=np.int32)) for x in (inputs, outputs))
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    return int(tflite.OperatorEnd(b))


def _code(b: flatbuffers.Builder, code: int) -> int:
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, code)
    tflite.OperatorCodeAddBuiltinCode(b, code)
    return int(tflite.OperatorCodeEnd(b))


def _buffer(b: flatbuffers.Builder, content: bytes) -> int:
    data = b.CreateByteVector(content) if content else None
    tflite.BufferStart(b)
    if data is not None:
        tflite.BufferAddData(b, data)
    return int(tflite.BufferEnd(b))


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x -> conv(x, int8 kernel by channel, float16 bias through DEQUANTIZE)."""
    b = flatbuffers.Builder(0)
    buffers = [_buffer(b, content) for content in (b"", KERNEL.tobytes(), BIAS.tobytes())]
    scales = _quantised(b, [0.1, 0.5], [0, 2])
    tensors = [
        _tensor(b, "x", [1, 2, 2, 1], FLOAT32, 0),
        _tensor(b, "kernel", [2, 2, 1, 1], INT8, 1, scales),
        _tensor(b, "bias", [2], FLOAT16, 2),
        _tensor(b, "bias_dequantize", [2], FLOAT32, 0),
        _tensor(b, "y", [1, 1, 1, 2], FLOAT32, 0),
    ]
    operators = [_operator(b, 0, [2], [3]), _operator(b, 1, [0, 1, 3], [4])]
    codes = [
        _code(b, int(tflite.BuiltinOperator.DEQUANTIZE)),
        _code(b, int(tflite.BuiltinOperator.CONV_2D)),
    ]
    tensors = _vector(b, tflite.SubGraphStartTensorsVector, tensors)
    operators = _vector(b, tflite.SubGraphStartOperatorsVector, operators)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensors)
    tflite.SubGraphAddOperators(b, operators)
    graphs = _vector(b, tflite.ModelStartSubgraphsVector, [int(tflite.SubGraphEnd(b))])
    codes = _vector(b, tflite.ModelStartOperatorCodesVector, codes)
    buffers = _vector(b, tflite.ModelStartBuffersVector, buffers)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, graphs)
    tflite.ModelAddBuffers(b, buffers)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    path = tmp_path_factory.mktemp("tflite") / "little.tflite"
    path.write_bytes(bytes(b.Output()))
    return path


def test_integers_become_numbers_channel_by_channel(little: Path) -> None:
    kernel = TfliteFile(little).constants()["kernel"]
    assert kernel.dtype == np.float32
    np.testing.assert_allclose(kernel.ravel(), [1.0, -2.0, 14.0, 19.0], rtol=1e-6)


def test_a_step_names_its_weights(little: Path) -> None:
    file = TfliteFile(little)
    assert [step.name for step in file.steps] == ["DEQUANTIZE", "CONV_2D"]
    kernel, bias = file.weights(file.steps[1])
    assert kernel.shape == (2, 2, 1, 1)
    assert bias.tolist() == [0.5, -0.25]
    assert bias.dtype == np.float32


def test_what_is_computed_has_no_values(little: Path) -> None:
    file = TfliteFile(little)
    assert file.shape(0) == (1, 2, 2, 1)
    assert file.affine(0) is None
    with pytest.raises(ValueError, match="computed"):
        file.constant(0)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no TFLite file"):
        TfliteFile(tmp_path / "none.tflite")
    (tmp_path / "text.tflite").write_text("not a model")
    with pytest.raises(ValueError, match="not a TFLite file"):
        TfliteFile(tmp_path / "text.tflite")
