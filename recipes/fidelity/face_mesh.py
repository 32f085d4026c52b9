"""Take the weights of the face mesh from MediaPipe's `face_landmark.tflite` (Apache-2.0).

python -m recipes.fidelity.face_mesh face_landmark.tflite --out weights.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from multimodal.fidelity.mesh.network import FaceMesh
from multimodal.files.weights import atomic
from recipes.pack.tflite import TfliteFile

TRUNK, SHAPE = 14, 3
"""Blocks of the trunk, and of the branch of the points."""


def state_of(constants: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The file's constants by the names of `FaceMesh`, in 16 bits.

    Raises:
        ValueError: another network.
    """
    found: dict[str, np.ndarray] = {}

    def layer(name: str, source: str, axes: tuple[int, ...]) -> None:
        found[f"{name}.weight"] = constants[f"{source}/Kernel"].transpose(axes)
        found[f"{name}.bias"] = constants[f"{source}/Bias"]

    def convolution(name: str, number: int) -> None:
        layer(name, f"conv2d_{number}", (0, 3, 1, 2))

    def rectifier(name: str, number: int) -> None:
        found[f"{name}.weight"] = constants[f"p_re_lu_{number}/Alpha"].reshape(-1)

    def block(name: str, depthwise: int, pointwise: int, slope: int) -> None:
        layer(f"{name}.depthwise", f"depthwise_conv2d_{depthwise}", (3, 0, 1, 2))
        convolution(f"{name}.pointwise", pointwise)
        rectifier(f"{name}.rectify", slope)

    try:
        convolution("first", 1)
        rectifier("rectify", 1)
        for index in range(TRUNK):
            block(f"trunk.{index}", index + 1, index + 2, index + 2)
        for index in range(SHAPE):
            block(f"shape.{index}", index + 15, index + 16, index + 16)
        convolution("shape.3", 19)
        rectifier("shape.4", 19)
        block("shape.5", 18, 20, 20)
        convolution("points", 21)
        block("certainty.0", 23, 28, 26)
        convolution("certainty.1", 29)
        rectifier("certainty.2", 27)
        block("certainty.3", 24, 30, 28)
        convolution("score", 31)
    except KeyError as error:
        raise ValueError(f"this is not face_landmark.tflite: it lacks {error}") from None
    state = {k: torch.from_numpy(np.ascontiguousarray(v)).half() for k, v in found.items()}
    FaceMesh().load_state_dict({name: value.float() for name, value in state.items()})
    return state


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="face_landmark.tflite")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors to write")
    given = parser.parse_args(arguments)
    with atomic(given.out) as part:
        save_file(state_of(TfliteFile(given.source).constants()), part)


if __name__ == "__main__":
    main()
