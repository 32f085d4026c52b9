"""A guidance method of one's own: no gradients, only samples and a judge.

python examples/new_method.py [--model NAME] [--out DIR]
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from guidance.common import read_options
from guidance.registry import METHODS
from multimodal.types import EditRequest, Offset, OnStep, Progress, Toolkit


@dataclass(frozen=True)
class SamplesConfig:
    """How many faces are drawn, and how many of the best are kept."""

    samples: int = 128
    kept: int = 12


class BestSamples:
    """From the average of random faces to the average of those that CLIP likes best."""

    name = "best-samples"

    def __init__(self, toolkit: Toolkit) -> None:
        self.toolkit = toolkit

    @torch.no_grad()
    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """The change in W+ `[1, L, D]`; the same for every face, another for every prompt."""
        config = read_options(SamplesConfig, request.options)
        generator, clip = self.toolkit.generator, self.toolkit.clip
        codes = generator.sample(config.samples, request.seed, truncation=0.7).w
        change = (request.target - request.neutral).to(clip.device)
        scores: list[float] = []
        for part in codes.split(8):
            scores += (clip.encode_image(generator.synthesize(part)) @ change.T).flatten().tolist()
            if on_step is not None:
                on_step(Progress(len(scores), config.samples))
        best = torch.tensor(scores).topk(config.kept).indices
        return Offset(w=codes[best].mean(0, keepdim=True) - codes.mean(0, keepdim=True))


METHODS["best-samples"] = BestSamples


TEXT = "a person with a beard"


def main() -> None:
    """It is now a method like any other: strength, regions, layers and `keep` all apply."""
    from common import start

    from apps.samples import faces
    from apps.sheet import strip
    from multimodal.images import save_image

    options = start(__doc__)
    editor = options.editor()
    face = editor.invert(faces()[1])
    result = editor.edit(face, text=TEXT, method="best-samples", strength=1.5)
    sheet = strip([result.before, result.after], ["before", TEXT])
    print(save_image(sheet, options.out / "new_method.png", TEXT))


if __name__ == "__main__":
    main()
