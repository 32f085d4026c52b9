"""`semblance directions`: measure where a model's attributes lie, once, for every later edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.commands import options as o
from apps.commands.groups import grouped
from apps.console import report, steps

if TYPE_CHECKING:
    from torch import Tensor

    from guidance.controls.control import Attributes
    from multimodal import FaceEditor
    from multimodal.metrics import FeatureExtractor

app = typer.Typer(help="Measure and list a model's directions.", no_args_is_help=True)

Out = Annotated[
    Path | None, typer.Option(help="Folder to write to; default: where edits with it look.")
]
Count = Annotated[int, typer.Option(min=1, max=512, help="How many directions.")]
Samples = Annotated[int, typer.Option(min=100, max=1_000_000, help="Faces or codes looked at.")]
Names = Annotated[list[str] | None, typer.Argument(help="Attributes; default: all known ones.")]
More = Annotated[list[str] | None, typer.Option(help="Describes faces that have a new attribute.")]
Less = Annotated[list[str] | None, typer.Option(help="Describes faces that do not have it.")]

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
LOOKED_AT = 256
LEAST_LEFT = 1e-4
"""Share of a direction below which a projection has left only rounding errors."""


@dataclass(frozen=True)
class Place:
    """Whose directions, where they are written, and what measures them."""

    model: o.Model = "default"
    out: Out = None
    device: o.Device = "auto"

    def open(self, clip: str | None = None) -> tuple[FaceEditor, Path]:
        """The model, and the folder that its directions are written to.

        A shipped model's own folder stays as it was checked: what is measured goes beside it.
        """
        from apps.edits import load_editor
        from multimodal.editing.assemble import own_folder
        from multimodal.files.bundled import MANIFEST

        editor = load_editor(self.model, self.device, None, clip)
        if self.out is not None:
            return editor, self.out
        folder = editor.toolkit.folder
        if folder is None or (Path(folder) / MANIFEST).is_file():
            folder = own_folder(self.model, clip)
        return editor, Path(folder)


@app.command(name="list")
def list_directions(
    model: o.Model = "default", clip: o.Clip = None, as_json: o.Json = False
) -> None:
    """The directions that sliders and `--keep` can name."""
    editor, _ = Place(model, device="cpu").open(clip)
    report({"directions": list(editor.directions)}, as_json)


@app.command()
@grouped
def statistics(
    place: Place,
    clip: o.Clip = None,
    images: Annotated[int, typer.Option(min=1, max=1000, help="Faces a channel moves on.")] = 8,
    samples: Samples = 20_000,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> None:
    """StyleCLIP: what each style channel of a generator does to the pictures a CLIP sees."""
    from guidance.methods.directions import FILE_NAME, StatisticsConfig, compute_statistics

    editor, folder = place.open(clip)
    if place.out is None and folder != editor.toolkit.folder:
        raise ValueError(
            f"model {place.model!r} ships its statistics: --out DIR keeps others apart"
        )
    tools, config = editor.toolkit, StatisticsConfig(samples=samples, images=images, seed=seed)
    with steps("measuring style channels") as on_step:
        found = compute_statistics(tools.generator, tools.clip, folder / FILE_NAME, on_step, config)
    report({"channels": len(found.effects), "file": folder / FILE_NAME}, as_json)


@app.command()
@grouped
def attributes(
    place: Place,
    names: Names = None,
    more: More = None,
    less: Less = None,
    clip: o.Clip = None,
    samples: Samples = 3000,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> None:
    """InterFaceGAN: directions of named attributes, scored by CLIP on sampled faces.

    A new attribute takes one name with --more and --less.
    """
    from guidance.controls.attributes import attribute_directions, text_scores
    from guidance.controls.control import Attributes

    wanted = _named(names or [], more or [], less or [])
    editor, folder = place.open(clip)
    tools = editor.toolkit
    scorers = {name: text_scores(tools.clip, named) for name, named in wanted.items()}
    layers = {name: named.layers for name, named in wanted.items()}
    with steps("scoring faces") as on_step:
        found = attribute_directions(
            tools.generator, scorers, layers, samples, seed, on_step=on_step
        )
    _add(folder, Attributes(found.directions), as_json)


@app.command()
def conditional(
    name: Annotated[str, typer.Argument(help="The direction to clear of others.")],
    others: Annotated[list[str], typer.Argument(help="What it should leave alone.")],
    model: o.Model = "default",
    clip: o.Clip = None,
    out: Out = None,
    as_json: o.Json = False,
) -> None:
    """InterFaceGAN's conditional projection: a direction without its part along others."""
    from guidance.controls.attributes import conditional as projected
    from guidance.controls.control import Attributes

    editor, folder = Place(model, out, "cpu").open(clip)
    known = {key: offset.w[0] for key, offset in editor.directions.items() if offset.w is not None}
    unknown = [key for key in (name, *others) if key not in known]
    if unknown:
        raise ValueError(f"no direction {unknown[0]!r} in this model: it has {sorted(known)}")
    cleared = projected(known[name], [known[key] for key in others])
    if cleared.norm() <= LEAST_LEFT * known[name].norm():
        raise ValueError(f"nothing of {name!r} is left without {others}")
    _add(folder, Attributes({f"{name} without {' and '.join(others)}": cleared}), as_json)


@app.command()
@grouped
def sefa(
    place: Place,
    count: Count = 10,
    layers: Annotated[
        str | None, typer.Option(help="Convolutions looked at, from 0, with commas; default all.")
    ] = None,
    as_json: o.Json = False,
) -> None:
    """SeFa: the directions of W that change the styles most, from the weights alone."""
    from guidance.controls.attributes import sefa as factorise
    from guidance.controls.components import Components, spread

    editor, folder = place.open()
    values, directions = factorise(editor.generator, _numbers(layers), count)
    deviations = spread(editor.generator, directions)
    path = Components("sefa", directions, deviations).save(folder)
    report({"directions": len(values), "file": path}, as_json)


@app.command()
@grouped
def ganspace(
    place: Place,
    count: Count = 40,
    samples: Samples = 20_000,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> None:
    """GANSpace: the principal components of sampled codes."""
    from guidance.controls.attributes import ganspace as principal
    from guidance.controls.components import Components

    editor, folder = place.open()
    count = min(count, editor.generator.style_dim)
    with steps("principal components") as on_step:
        deviations, directions = principal(editor.generator, count, samples, seed, on_step)
    path = Components("ganspace", directions, deviations).save(folder)
    report({"directions": count, "file": path}, as_json)


@app.command()
@grouped
def walk(
    place: Place,
    edits: Annotated[
        list[str],
        typer.Argument(help="zoom, shift_x, shift_y, rotate, brightness, red, green ..."),
    ],
    count: Annotated[
        int, typer.Option("--steps", min=1, max=100_000, help="Steps of learning.")
    ] = 200,
    bent: Annotated[
        bool, typer.Option("--bent", help="Walks that bend, each in a file of its own.")
    ] = False,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> None:
    """Steerability: walks of the code that do what simple edits of a picture do."""
    from guidance.controls.control import Attributes
    from guidance.controls.steering import EDITS, WalkConfig, learn_walk
    from guidance.controls.walks import learn_bent_walk, save_walk

    unknown = [name for name in edits if name not in EDITS]
    if unknown:
        raise ValueError(f"edit {unknown[0]!r} is not one of {', '.join(EDITS)}")
    editor, folder = place.open()
    found, files = {}, {}
    config = WalkConfig(steps=count, seed=seed)
    for name in edits:
        with steps(f"learning {name}") as on_step:
            if bent:
                learnt = learn_bent_walk(editor.generator, name, config, on_step)
                files[name] = save_walk(learnt, folder)
            else:
                found[name] = learn_walk(editor.generator, name, config, on_step).cpu()
    if bent:
        report(files, as_json)
    else:
        _add(folder, Attributes(found), as_json)


@app.command()
@grouped
def jacobian(
    place: Place,
    count: Count = 10,
    faces: Annotated[int, typer.Option(min=1, max=10_000, help="Sampled faces looked at.")] = 8,
    layers: o.Layers = None,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> None:
    """Orthogonal Jacobian: the directions that change pictures most, each in its own way."""
    from guidance.controls.components import Components, spread
    from guidance.controls.jacobian import JacobianConfig, angles, hessian_penalty
    from guidance.controls.jacobian import orthogonal_jacobian as found_by

    editor, folder = place.open()
    count = min(count, editor.generator.style_dim)
    config = JacobianConfig(count, faces, layers=layers, seed=seed)
    with steps("looking at the Jacobian") as on_step:
        _, directions = found_by(editor.generator, config, on_step)
    check = JacobianConfig(count, min(faces, 2), 8, layers, seed=seed + 1)
    path = Components("jacobian", directions, spread(editor.generator, directions)).save(folder)
    figures = {
        "mean_cosine": round(float(angles(editor.generator, directions, check)), 4),
        "hessian_penalty": round(float(hessian_penalty(editor.generator, directions, check)), 4),
    }
    report({"directions": count, **figures, "file": path}, as_json)


@app.command()
@grouped
def quality(
    place: Place,
    good: Annotated[
        Path | None,
        typer.Option(
            help="Folder of aligned good pictures; default: the model's own, near its mean"
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=40, max=1_000_000, help="Drawings judged.")] = 1000,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> None:
    """The direction that leads away from artefacts, as a direction called "quality"."""
    from guidance.controls.control import Attributes
    from guidance.controls.quality import NAME, own_good, quality_direction, quality_scores
    from multimodal.metrics import FeatureExtractor

    editor, folder = place.open()
    extract = FeatureExtractor("efficientnet-lite0").to(editor.generator.device)
    if good is None:
        usual = own_good(editor.generator, extract, min(200, samples))
    else:
        usual = _features(good, extract)
    scores = quality_scores(usual.to(editor.generator.device), extract)
    with steps("judging drawings") as on_step:
        found = quality_direction(editor.generator, scores, samples, seed, on_step)
    _add(folder, Attributes({NAME: found.cpu()}), as_json)


def _features(folder: Path, extract: FeatureExtractor) -> Tensor:
    """Features of a folder's pictures."""
    import torch

    from multimodal.images import load_image, resize, to_tensor

    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    if not files:
        raise ValueError(f"no pictures in {folder} (looked for {', '.join(PICTURES)})")
    pictures = (to_tensor(resize(load_image(path), LOOKED_AT)) for path in files)
    return torch.cat([extract(picture.to(extract.mean.device)) for picture in pictures])


def _named(names: list[str], more: list[str], less: list[str]) -> dict[str, Any]:
    """The attributes asked for, with how each is measured."""
    from guidance.controls.attributes import NAMED, Named
    from guidance.controls.control import IDENTITY

    if more or less:
        if len(names) != 1 or not (more and less):
            raise ValueError("a new attribute takes one name, --more and --less")
        if not names[0].strip() or "," in names[0] or names[0] == IDENTITY:
            raise ValueError(f"{names[0]!r} cannot name an attribute: --keep could not ask for it")
        return {names[0]: Named(tuple(more), tuple(less))}
    unknown = [name for name in names if name not in NAMED]
    if unknown:
        raise ValueError(
            f"attribute {unknown[0]!r} is not one of {sorted(NAMED)}; describe a new one with "
            "--more and --less"
        )
    return {name: NAMED[name] for name in names or NAMED}


def _add(folder: Path, found: Attributes, as_json: bool) -> None:
    """Join directions to those already in a folder."""
    from guidance.controls.control import ATTRIBUTES_NAME, Attributes

    path = folder / ATTRIBUTES_NAME
    before = Attributes.load(path).directions if path.is_file() else {}
    Attributes({**before, **found.directions}).save(path)
    report({"directions": list(found.directions), "file": path}, as_json)


def _numbers(layers: str | None) -> list[int] | None:
    if layers is None:
        return None
    try:
        return [int(part) for part in layers.split(",")]
    except ValueError as error:
        raise ValueError(f"--layers takes whole numbers with commas, not {layers!r}") from error


def register(parent: typer.Typer) -> None:
    """Add the group of commands."""
    parent.add_typer(app, name="directions")
