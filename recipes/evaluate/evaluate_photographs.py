"""How well a model draws photographs of people it never saw: likeness, geometry, seconds.

    python -m recipes.evaluate.evaluate_photographs --photos portraits \
        --model multimodal/bundle/default
    python -m recipes.evaluate.evaluate_photographs --photos portraits --model runs/photographs

The portraits of the split `heldout` in FFHQ crops of 256 px, one call of the encoder; with
`--renders`, held-out renders beside them. `--split held-back` measures the people whom training
leaves out to choose by.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from multimodal.faces import head_pose
from multimodal.faces.detect import points_in
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.images import to_pil
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder
from multimodal.inversion.encoders.face_encoder import FaceEncoder
from multimodal.inversion.encoders.hyperstyle import HyperStyle, draw_with
from multimodal.inversion.encoders.small_hyper import read_small_hyper
from multimodal.inversion.objective import local_lpips
from multimodal.metrics import landmark_distance
from multimodal.recognition.dlib_resnet import load_dlib_face
from recipes.checkpoint import load_run
from recipes.data import Faces
from recipes.generator.looking import looked
from recipes.generator.photographs.portraits import Portrait, held_back, read_index, read_pictures
from recipes.generator.photographs.train import HELD_BACK

FACE_BOX = (0.22, 0.33, 0.78, 0.89)
"""Where the face lies in an FFHQ crop: the points are looked for there, so none is lost to a
detector that finds no face in a drawing."""
BATCH = 8
FIGURES = ("lpips", "identity", "points", "pose")


@dataclass(frozen=True)
class Likeness:
    """What a drawing keeps of its picture.

    Args:
        lpips: AlexNet's distance.
        identity: cosine of dlib's descriptors.
        points: mean distance of 68 points, percent of the inter-ocular distance.
        pose: mean difference of yaw, pitch and roll, degrees.
    """

    lpips: float
    identity: float
    points: float
    pose: float


class Judges:
    """The frozen networks, loaded once."""

    def __init__(self) -> None:
        self.lpips, self.identity = local_lpips("alex", "cpu"), load_dlib_face(device="cpu")

    @torch.no_grad()
    def __call__(self, drawn: Tensor, real: Tensor) -> Likeness:
        """Of one drawing `[1, 3, R, R]` in [-1, 1] and its picture."""
        there, here = (_points(x) for x in (real, drawn))
        turned = np.subtract(head_pose(here), head_pose(there))
        pair = [torch.from_numpy(np.asarray(p, np.float32))[None] for p in (there, here)]
        return Likeness(
            float(self.lpips(drawn, real)),
            float((self.identity(drawn) * self.identity(real)).sum()),
            100 * float(landmark_distance(*pair)),
            float(np.abs((turned + 180) % 360 - 180).mean()),
        )


def _points(picture: Tensor) -> np.ndarray:
    """The 68 points `[68, 2]` of the face of an FFHQ crop `[1, 3, R, R]`."""
    image = to_pil(picture)
    left, top, right, bottom = (round(part * image.width) for part in FACE_BOX)
    return points_in(image, (left, top, right, bottom)).landmarks


@torch.no_grad()
def drawings(
    encoder: BundleEncoder, draw: Callable[[Tensor], Tensor], pictures: Tensor
) -> tuple[Tensor, float]:
    """Pictures `[N, 3, R, R]` drawn back by way of one call, and the median seconds of one."""
    drawn, seconds = [], []
    for batch in pictures.split(BATCH):
        begun = time.perf_counter()
        drawn.append(draw(looked(encoder, draw, batch)).clamp(-1, 1))
        seconds.append((time.perf_counter() - begun) / len(batch))
    return torch.cat(drawn), float(np.median(seconds))


@torch.no_grad()
def redrawings(
    generator: StyleGAN2, encoder: BundleEncoder, hyper: Path, pictures: Tensor
) -> tuple[Tensor, float]:
    """As `drawings`, each with the changes of the generator that a hypernetwork sees."""
    first = FaceEncoder(encoder, passes=encoder.config.passes).attach(generator)
    network = HyperStyle(read_small_hyper(hyper), first, generator)
    drawn, seconds = [], []
    for picture in pictures.split(1):
        begun = time.perf_counter()
        drawn.append(draw_with(generator, *network.refine(picture)).clamp(-1, 1))
        seconds.append(time.perf_counter() - begun)
    return torch.cat(drawn), float(np.median(seconds))


def measured(folder: Path, pictures: Tensor, hyper: Path | None = None) -> dict[str, float]:
    """Mean figures of a model's folder, or a training's, over pictures `[N, 3, R, R]`; with a
    hypernetwork where its file is given."""
    generator, encoder = load_run(folder)

    def draw(w_plus: Tensor) -> Tensor:
        return generator.synthesize(w_plus, noise="none")

    judges = Judges()
    if hyper is None:
        drawn, seconds = drawings(encoder, draw, pictures)
    else:
        drawn, seconds = redrawings(generator, encoder, hyper, pictures)
    rows = [judges(a, b) for a, b in zip(drawn.split(1), pictures.split(1), strict=True)]
    means = {name: float(np.mean([getattr(row, name) for row in rows])) for name in FIGURES}
    return {"pictures": float(len(rows)), **means, "seconds": seconds}


def portraits_of(photos: Path, split: str) -> list[Portrait]:
    """The portraits of `heldout`, or of `held-back`: those of `train` that nothing learns from."""
    if split == "held-back":
        return held_back(read_index(photos, "train"), HELD_BACK)[1]
    return read_index(photos, split)


def main(
    photos: Annotated[Path, typer.Option(help="folder of aligned portraits with an index.csv")],
    model: Annotated[Path, typer.Option(help="folder of a model or of a training")],
    renders: Annotated[Path | None, typer.Option(help="folder of held-out renders")] = None,
    split: Annotated[str, typer.Option(help="heldout or held-back")] = "heldout",
    count: Annotated[int, typer.Option(help="of each; 0: all")] = 0,
    hyper: Annotated[Path | None, typer.Option(help="train_hyper's file, beside it")] = None,
) -> None:
    """Print the figures as JSON."""
    portraits = portraits_of(photos, split)
    if 0 < count < len(portraits):
        chosen = np.linspace(0, len(portraits) - 1, count).astype(int)
        portraits = [portraits[i] for i in chosen]
    pictures = read_pictures(portraits, 256).float() / 127.5 - 1
    found = {"photographs": measured(model, pictures)}
    if hyper is not None:
        found["photographs, hypernetwork"] = measured(model, pictures, hyper)
    if renders is not None:
        faces = Faces(renders, 256)
        some = np.arange(min(count or 64, len(faces)))
        found["renders"] = measured(model, faces.batch(some))
    typer.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
