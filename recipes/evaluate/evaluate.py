"""Measure a packed model's generator and encoder on held-out renders, and show what it draws.

    python -m recipes.evaluate --model multimodal/bundle/default --heldout renders/heldout \
        --training renders/pairs --out runs/evaluate

Writes `evaluate.json` and `pictures/`. Each stage's figures are written when it is done and kept
for the same model and sizes, features block by block: a run that was stopped goes on.

What it costs on two cores at 128 px: 10,000 samples and as many renders about ten minutes;
500 inversions by the encoder two; each descent of 100 steps some seconds, each tuning a minute.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from apps.sheet import stack, strip
from multimodal.editing.editor import FaceEditor
from multimodal.editing.finishing import DRAWING
from multimodal.files.bundled import PICTURES
from multimodal.files.weights import atomic, sha256_of
from multimodal.images import save_image, to_pil
from multimodal.metrics import FeatureExtractor
from recipes.data import Faces
from recipes.evaluate import encoder_figures as inverting
from recipes.evaluate import generator_figures as drawing

RESULTS = "evaluate.json"
QUALITY = 88
SHEET, PSI = 64, 0.7
WISHES = ("a smiling person", "an old person", "a person with blond hair", "a person with glasses")
"""Texts of the strips of edits."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Args:
        samples: faces drawn for the distances.
        renders: held-out renders, and training renders, at most.
        faces: inverted by the encoder.
        descents: inverted by 100 steps.
        tuned: inverted by pivotal tuning.
        edited: faces in the strips of edits.
    """

    samples: int = 10_000
    renders: int = 10_000
    faces: int = 500
    descents: int = 24
    tuned: int = 4
    edited: int = 4


@dataclass(frozen=True)
class Job:
    """What is measured, on what, and where the results go.

    Args:
        editor: the model.
        heldout: faces never trained on.
        training: faces trained on, or None.
        out: folder of results.
        sizes: how much.
        extract: the feature network.
        seed: of the samples.
        on_faces: told how many faces more are done.
    """

    editor: FaceEditor
    heldout: Faces
    training: Faces | None
    out: Path
    sizes: Sizes
    extract: drawing.Extract
    seed: int = 0
    on_faces: drawing.OnFaces = lambda _: None

    def features(self, name: str, draw: drawing.Draw, count: int, identity: str) -> np.ndarray:
        """Features of faces, cached under their name and what they depend on."""
        folder = self.out / "features" / f"{name}-{_digest(identity)}"
        return drawing.features(draw, count, self.extract, folder, self.on_faces)

    def of_samples(self) -> np.ndarray:
        """Features of the generator's samples at psi 1."""
        draw = drawing.drawer(self.editor.generator, self.seed)
        return self.features("samples", draw, self.sizes.samples, f"{self.model} {self.seed}")

    def of_renders(self, name: str, faces: Faces) -> np.ndarray:
        """Features of renders."""
        count = min(self.sizes.renders, len(faces))
        return self.features(name, faces.batch, count, str(faces.folder.resolve()))

    @property
    def model(self) -> str:
        """Digest of the model's weights."""
        folder = self.editor.toolkit.folder
        files = sorted(Path(folder).glob("*.safetensors")) if folder is not None else []
        return _digest(" ".join(sha256_of(file) for file in files))

    def picture(self, name: str, image: Image.Image, about: str) -> str:
        """Save a picture of the results; returns its path relative to `out`."""
        save_image(image, self.out / PICTURES / f"{name}.jpg", about, QUALITY)
        return f"{PICTURES}/{name}.jpg"


Figures = dict[str, Any]


def distances(job: Job) -> Figures:
    """Set distances of samples, with the domain's own yardsticks."""
    heldout = job.of_renders("heldout", job.heldout)
    men = drawing.men_among(job.heldout, len(heldout))
    training = None if job.training is None else job.of_renders("training", job.training)
    return drawing.distances(job.of_samples(), heldout, men, training)


def neighbours(job: Job) -> Figures:
    """The nearest training renders, and a sheet of the closest pairs."""
    if job.training is None:
        return {}
    training, heldout = (
        job.of_renders("training", job.training),
        job.of_renders("heldout", job.heldout),
    )
    found = drawing.neighbours(job.of_samples(), heldout, training)
    rows, draw = [], drawing.drawer(job.editor.generator, job.seed)
    for sample, render in found.pairs[:6]:
        pair = draw(np.array([sample])), job.training.batch(np.array([render]))
        rows.append(strip([to_pil(x) for x in pair], ["sample", "nearest training render"]))
    halves = [_beside(rows[i : i + 3]) for i in range(0, len(rows), 3)]
    about = "The generated faces that come nearest to a training render, beside it"
    path = job.picture("neighbours", stack(halves), about)
    return {**found.figures, "pictures": [[about, path]]}


def samples(job: Job) -> Figures:
    """A sheet of 64 faces at psi 0.7."""
    draw = drawing.drawer(job.editor.generator, job.seed, PSI)
    pictures = [to_pil(draw(np.array([number]))) for number in range(SHEET)]
    about = (
        f"{SHEET} faces drawn at psi {PSI}, seeds {job.seed} to {job.seed + SHEET - 1}, unselected"
    )
    return {"pictures": [[about, job.picture("samples", _tiled(pictures, 8), about)]]}


def inverting_by(way: inverting.Way) -> Callable[[Job], Figures]:
    """The stage that inverts held-out faces in one way."""

    def stage(job: Job) -> Figures:
        if job.editor.encoder is None and way.method != "pti":
            return {}
        counts = {
            "encoder": job.sizes.faces,
            "steps": job.sizes.descents,
            "tuning": job.sizes.tuned,
        }
        count = min(counts[way.name], len(job.heldout))
        if count == 0:
            return {}
        shown, kept = job.out / "shown", min(6, job.sizes.tuned or 6)
        found = inverting.measure(job.editor, job.heldout, count, way, shown, kept)
        return {**found, "bars": inverting.bars_of(way, job.heldout)}

    return stage


def inversions(job: Job) -> Figures:
    """A sheet of held-out faces and their reconstructions."""
    rows = inverting.shown_pictures(job.out / "shown", 6)
    if not rows:
        return {}
    sheet = stack([strip([p for _, p in row], [label for label, _ in row]) for row in rows])
    about = "Held-out faces and their reconstructions"
    return {"pictures": [[about, job.picture("inversions", sheet, about)]]}


def edits(job: Job) -> Figures:
    """Strips of edits of held-out faces by text and by a sound, method "auto"."""
    from apps.samples import sounds

    if job.editor.toolkit.clip.dim == 0 or job.editor.encoder is None:
        return {}
    wishes: list[tuple[str, dict[str, Any]]] = [(text, {"text": text}) for text in WISHES]
    if job.editor.toolkit.sound is not None:
        wishes += [(f"sound: {path.stem}", {"sound": str(path)}) for path in sounds()[:2]]
    strips = []
    for number in range(min(job.sizes.edited, len(job.heldout))):
        picture = to_pil(job.heldout.batch(np.array([number])))
        face = job.editor.invert(picture, "encoder", aligned=True)
        made = [job.editor.edit(face, fidelity=DRAWING, **wish).after for _, wish in wishes]
        labels = ["original", "inverted", *(label for label, _ in wishes)]
        strips.append(strip([picture, job.editor.reconstruct(face), *made], labels))
    about = "Held-out faces edited by text and by sounds, strength 1, unselected"
    return {"pictures": [[about, job.picture("edits", stack(strips), about)]]} if strips else {}


STAGES: dict[str, Callable[[Job], Figures]] = {
    "samples": samples,
    **{way.name: inverting_by(way) for way in inverting.WAYS},
    "inversions": inversions,
    "edits": edits,
    "distances": distances,
    "neighbours": neighbours,
}
"""Quick ones first: there is something to look at early."""


def evaluate(
    job: Job, only: tuple[str, ...] = (), say: Callable[[str], None] = lambda _: None
) -> Figures:
    """Run the stages that are not done for this model and these sizes; returns all figures.

    Args:
        job: what is measured.
        only: stages to run; all by default.
        say: told the stages as they begin.

    Raises:
        ValueError: an unknown stage.
    """
    unknown = sorted(set(only) - set(STAGES))
    if unknown:
        raise ValueError(f"stages {unknown} are not among {', '.join(STAGES)}")
    job.out.mkdir(parents=True, exist_ok=True)
    of = _digest(f"{job.model} {asdict(job.sizes)} {job.seed} {job.heldout.folder.resolve()}")
    path = job.out / RESULTS
    results: Figures = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results |= {"model": job.editor.name, "sizes": asdict(job.sizes), "seed": job.seed}
    for name in only or STAGES:
        if results.get(name, {}).get("of") == of:
            continue
        say(name)
        begun = time.perf_counter()
        found = STAGES[name](job)
        results[name] = {**found, "minutes": round((time.perf_counter() - begun) / 60, 2), "of": of}
        with atomic(path) as part:
            part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def _tiled(pictures: list[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size in a grid without gaps."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * width, index // columns * height))
    return sheet


def _beside(sheets: list[Image.Image]) -> Image.Image:
    """Sheets of one height side by side."""
    joined = Image.new("RGB", (sum(s.width for s in sheets), sheets[0].height))
    left = 0
    for sheet in sheets:
        joined.paste(sheet, (left, 0))
        left += sheet.width
    return joined


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main() -> None:
    """Parse the command line and measure, with a count of faces."""
    parser = argparse.ArgumentParser("python -m recipes.evaluate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", default="default", help="a model's name or folder")
    parser.add_argument("--heldout", type=Path, required=True, help="renders never trained on")
    parser.add_argument("--training", type=Path, help="renders trained on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=[], choices=list(STAGES), help="stages")
    parser.add_argument("--seed", type=int, default=0)
    for name, value in asdict(Sizes()).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    editor = FaceEditor.from_pretrained(options.model)
    side, extractor = editor.generator.resolution, FeatureExtractor("efficientnet-lite0")
    training = None if options.training is None else Faces(options.training, side)
    sizes = Sizes(**{name: getattr(options, name) for name in asdict(Sizes())})
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("faces", total=None)
        job = Job(
            editor, Faces(options.heldout, side), training, options.out, sizes,
            extractor.to(editor.device), options.seed, lambda n: bar.advance(task, n),
        )  # fmt: skip
        evaluate(job, tuple(options.only), lambda name: bar.update(task, description=name))


if __name__ == "__main__":
    main()
