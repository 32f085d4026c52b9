"""A parser's own confident answers on photographs, as labels to go on learning from.

Answers are taken inside the sets that the teachers left, along the photograph's own edges; where
the parser is unsure, the set stays as it was (pseudo-labels: Lee 2013; Xie et al. 2020, "Noisy
student", arXiv 1911.04252: the learner sees varied pictures, the answers come from plain ones).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from multimodal.parsing.classes import CLASSES
from multimodal.parsing.guided import guided_enlarge
from multimodal.parsing.network import ParserNetwork
from multimodal.parsing.parser import FaceParser
from recipes.parser.data import Labelled, members

_BATCH = 4
CONFIDENT = 0.8


@torch.no_grad()
def answered(
    network: ParserNetwork, photos: Labelled, folder: Path, confident: float = CONFIDENT
) -> Labelled:
    """The photographs with what the parser says of them; kept in ``folder`` and read from there.

    Args:
        network: the parser so far.
        photos: with the teachers' sets.
        folder: where the answers lie, or will.
        confident: probability from which an answer counts.
    """
    path = folder / "sets.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        network.eval()
        parser, found = FaceParser(network), []
        for begin in range(0, len(photos), _BATCH):
            found.append(
                _answers(parser, photos, range(begin, min(begin + _BATCH, len(photos))), confident)
            )
        np.save(path, np.concatenate(found))
    return Labelled(photos.images, (np.load(path, "r"),))


def _answers(parser: FaceParser, photos: Labelled, indices: range, confident: float) -> np.ndarray:
    rows = [photos[i] for i in indices]
    images = torch.from_numpy(np.stack([p for p, _ in rows])).permute(0, 3, 1, 2) * 2 - 1
    sets = torch.from_numpy(np.stack([s.astype(np.int32) for _, s in rows]))
    likely = parser.probabilities(images, mirror=True).cpu()
    likely = guided_enlarge(likely, images, radius=2, epsilon=1e-3)
    likely = likely * members(sets, len(CLASSES)) + 1e-6
    top, place = (likely / likely.sum(1, keepdim=True)).max(1)
    sure = torch.where(top > confident, 1 << place.int(), sets)
    return sure.numpy().astype(np.uint16)
