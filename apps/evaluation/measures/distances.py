"""How far sets of edited faces are from held-out renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from apps.evaluation.samples import spread
from apps.evaluation.setting import Row, Setting
from multimodal.images import to_tensor
from multimodal.metrics import (
    FeatureExtractor,
    frechet_distance,
    frechet_segmentation,
    kernel_distance,
)
from multimodal.parsing import FaceParser

if TYPE_CHECKING:
    from PIL import Image

    from multimodal.types import RegionParser

NETWORK = "efficientnet-lite0"
MOST = 200
"""Pictures of a set that are looked at."""

ABOUT = (
    f"Frechet and kernel distance ({NETWORK} features) of sets of pictures to all held-out renders "
    "of the pack. Few pictures make the Frechet distance large: compare with the reconstructions "
    "of the same faces, and with the sizes `n` beside. `segments`: Frechet segmentation distance, "
    "of the shares of a picture that the parser gives to skin, hair and the rest, times 1000."
)


def edited_distances(
    setting: Setting, before: Sequence[Image.Image], drawn: Mapping[str, Sequence[Image.Image]]
) -> list[Row]:
    """One row a set: the faces before, and what each method made of them.

    Returns no rows where the feature network is not installed or a set has one picture only.
    """
    try:
        network = FeatureExtractor(NETWORK)
    except ValueError:
        return []
    renders = [sample.image for sample in setting.pack.renders]
    parser = setting.editor.toolkit.parser
    real, parts = features(network, renders), areas(parser, renders)
    rows = []
    for name, pictures in {"reconstructions": before, **drawn}.items():
        if min(len(pictures), len(real)) < 2:
            continue
        found = features(network, pictures)
        rows.append(
            {
                "set": name,
                "n": len(found),
                "frechet": frechet_distance(found, real),
                "kernel": kernel_distance(found, real),
                **_segments(areas(parser, pictures), parts),
            }
        )
    return rows


def areas(parser: RegionParser | None, pictures: Sequence[Image.Image]) -> np.ndarray | None:
    """Shares of the classes `[N, K]` in at most `MOST` of the pictures; None without a parser."""
    if not isinstance(parser, FaceParser):
        return None
    return np.concatenate([parser.areas(to_tensor(picture)) for picture in spread(pictures, MOST)])


def _segments(found: np.ndarray | None, real: np.ndarray | None) -> dict[str, float]:
    if found is None or real is None:
        return {}
    return {"segments": 1000 * frechet_segmentation(found, real)}


def features(network: FeatureExtractor, pictures: Sequence[Image.Image]) -> np.ndarray:
    """Features `[N, F]` of at most `MOST` of the pictures."""
    rows = [to_tensor(picture) for picture in spread(pictures, MOST)]
    found = [network(torch.cat(rows[i : i + 16])) for i in range(0, len(rows), 16)]
    return torch.cat(found).double().numpy()
