"""Read YAMNet's weights out of its TFLite file, as tensors for `audio.yamnet.Yamnet`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from audio.hearing.yamnet import Yamnet
from recipes.pack.tflite import TfliteFile

FILE = "yamnet_spectra_in.tflite"


def read_yamnet(path: Path) -> Yamnet:
    """The network with the file's weights, dequantised; `path` is the file or its folder.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a TFLite file, or one of another network.
    """
    file = TfliteFile(path / FILE if path.is_dir() else path)
    weighty = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    pairs = [(s.name, file.weights(s)) for s in file.steps if s.name in weighty]
    net = Yamnet()
    modules = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    if len(pairs) != len(modules):
        raise ValueError(f"{path.name} has {len(pairs)} layers with weights, YAMNet {len(modules)}")
    with torch.no_grad():
        for module, (name, (kernel, bias)) in zip(modules, pairs, strict=True):
            ready = _kernel(name, kernel)
            if ready.shape != tuple(module.weight.shape):
                raise ValueError(f"{path.name}: {name} has shape {kernel.shape}")
            module.weight.copy_(torch.from_numpy(ready))
            assert module.bias is not None
            module.bias.copy_(torch.from_numpy(bias))
    return net.eval().requires_grad_(False)


def _kernel(step: str, kernel: np.ndarray) -> np.ndarray:
    """From TFLite's order (output, height, width, input; depthwise 1, height, width, channel)."""
    if step == "FULLY_CONNECTED":
        return kernel
    order = (3, 0, 1, 2) if step == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2)
    return np.ascontiguousarray(kernel.transpose(order))
