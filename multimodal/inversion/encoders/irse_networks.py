"""The published encoder networks on an IR-SE50 body: pSp, e4e and ReStyle.

All take `[B, 3 or 6, 256, 256]` in [-1, 1] and return codes measured from where training started
(usually the average code, which `encoders.py` adds). Module names follow the public files.

* pSp: Richardson et al. 2021, "Encoding in Style", arXiv 2008.00951, section 3.
* e4e: Tov et al. 2021, "Designing an Encoder for StyleGAN Image Manipulation", arXiv 2102.02766.
* ReStyle: Alaluf et al. 2021, arXiv 2104.02699, section 3.2 (all rows from the last map).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.generators.stylegan2 import EqualLinear
from multimodal.recognition.irse import IRSE50

COARSE, MIDDLE = 3, 7
"""Rows 0-2 are read from the coarse map, 3-6 from the middle one, the rest from the fine one."""

WIDTH = 512


class MapToStyle(nn.Module):
    """A square map to one row: strided convolutions down to one pixel, then a linear layer.

    Args:
        halvings: log2 of the map's side (4 for 16 px, 5 for 32, 6 for 64).
    """

    def __init__(self, halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(halvings):
            layers += [nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1), nn.LeakyReLU(0.01)]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, 512, S, S] -> [B, 512]`, S = 2^halvings."""
        return self.linear(self.convs(x).flatten(1))


class PyramidEncoder(IRSE50):
    """pSp's GradualStyleEncoder and e4e's Encoder4Editing: rows from three scales.

    Args:
        num_layers: rows L of W+.
        progressive: e4e: row 0 is a base code and the other rows are deltas to it.
        channels_in: 3, or 6 for ReStyle.
    """

    def __init__(self, num_layers: int, progressive: bool, channels_in: int = 3) -> None:
        super().__init__(channels_in)
        self.num_layers, self.progressive = num_layers, progressive
        self.styles = nn.ModuleList(
            MapToStyle(4 if row < COARSE else 5 if row < MIDDLE else 6) for row in range(num_layers)
        )
        self.latlayer1 = nn.Conv2d(256, WIDTH, 1)
        self.latlayer2 = nn.Conv2d(128, WIDTH, 1)

    def forward(self, images: Tensor, stage: int | None = None) -> Tensor:
        """Codes `[B, L, 512]`.

        Args:
            images: `[B, 3 or 6, 256, 256]`.
            stage: e4e's progressive stage: deltas are applied to rows 1..stage (0: w0 alone);
                None applies all.
        """
        fine, middle, coarse = self.features(images)
        rows = _rows_used(self.num_layers, stage if self.progressive else None)
        if rows > COARSE:
            middle = _top_down(coarse, self.latlayer1(middle))
        if rows > MIDDLE:
            fine = _top_down(middle, self.latlayer2(fine))
        maps = [coarse if i < COARSE else middle if i < MIDDLE else fine for i in range(rows)]
        codes = [style(x) for style, x in zip(self.styles, maps, strict=False)]
        if not self.progressive:
            return torch.stack(codes, dim=1)
        return _base_and_deltas(codes, self.num_layers)


class LastMapEncoder(IRSE50):
    """ReStyle's backbone encoders: every row from the last 16 px map.

    Args: as for `PyramidEncoder`.
    """

    def __init__(self, num_layers: int, progressive: bool, channels_in: int = 6) -> None:
        super().__init__(channels_in)
        self.num_layers, self.progressive = num_layers, progressive
        self.styles = nn.ModuleList(MapToStyle(4) for _ in range(num_layers))

    def forward(self, images: Tensor, stage: int | None = None) -> Tensor:
        """Codes `[B, L, 512]`; `stage` as for `PyramidEncoder`."""
        x = self.body(self.input_layer(images))
        rows = _rows_used(self.num_layers, stage if self.progressive else None)
        codes = [style(x) for style in list(self.styles)[:rows]]
        if not self.progressive:
            return torch.stack(codes, dim=1)
        return _base_and_deltas(codes, self.num_layers)


class SingleCodeEncoder(IRSE50):
    """pSp's BackboneEncoderUsingLastLayerIntoW: one code for all rows.

    Args:
        num_layers: rows L the code is repeated to.
        channels_in: 3, or 6 for ReStyle.
    """

    def __init__(self, num_layers: int, channels_in: int = 3) -> None:
        super().__init__(channels_in)
        self.num_layers = num_layers
        self.linear = EqualLinear(WIDTH, WIDTH)

    def forward(self, images: Tensor) -> Tensor:
        """`[B, L, 512]`, all rows equal."""
        x = self.body(self.input_layer(images)).mean(dim=(2, 3))
        return self.linear(x)[:, None].repeat(1, self.num_layers, 1)


class FlatEncoder(IRSE50):
    """pSp's BackboneEncoderUsingLastLayerIntoWPlus: all rows from one pooled vector.

    Args:
        num_layers: rows L of W+.
        channels_in: 3, or 6 for ReStyle.
    """

    def __init__(self, num_layers: int, channels_in: int = 3) -> None:
        super().__init__(channels_in)
        self.num_layers = num_layers
        self.output_layer_2 = nn.Sequential(
            nn.BatchNorm2d(WIDTH),
            nn.AdaptiveAvgPool2d(7),
            nn.Flatten(),
            nn.Linear(WIDTH * 49, WIDTH),
        )
        self.linear = EqualLinear(WIDTH, WIDTH * num_layers)

    def forward(self, images: Tensor) -> Tensor:
        """`[B, L, 512]`."""
        x = self.output_layer_2(self.body(self.input_layer(images)))
        return self.linear(x).unflatten(1, (self.num_layers, WIDTH))


def _rows_used(num_layers: int, stage: int | None) -> int:
    return num_layers if stage is None else max(1, min(stage + 1, num_layers))


def _base_and_deltas(codes: list[Tensor], num_layers: int) -> Tensor:
    base, *deltas = codes
    rows = [base] + [base + delta for delta in deltas]
    return torch.stack(rows + [base] * (num_layers - len(rows)), dim=1)


def _top_down(above: Tensor, lateral: Tensor) -> Tensor:
    """Feature-pyramid sum: the smaller map enlarged, corners aligned, plus the lateral one."""
    size = list(lateral.shape[-2:])
    return F.interpolate(above, size=size, mode="bilinear", align_corners=True) + lateral
