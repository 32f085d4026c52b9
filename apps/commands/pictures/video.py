"""`semblance video`: a film whose faces are edited."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.commands import options as o
from apps.commands.groups import ModelChoice, Wish, grouped
from apps.console import counter, report, warn_of_sound

if TYPE_CHECKING:
    from apps.clips.filming import Ahead

Source = Annotated[Path, typer.Argument(help="A film with a face in it.", show_default=False)]
Out = Annotated[Path, typer.Option(help="The .mp4 to write.")]
Ray = Annotated[
    str | None, typer.Option(help="Draw segments on Ray: auto, local, or a cluster's address.")
]
Workers = Annotated[int, typer.Option(min=1, help="Ray actors, each with its own model.")]
Inversion = Annotated[str, typer.Option("--inversion", help="How key frames are inverted.")]


@grouped
def video(
    source: Source,
    out: Out,
    wish: Wish,
    inversion: Inversion = "encoder",
    face: Annotated[
        int | None, typer.Option(help="Only this face, from 0, largest first; default all.")
    ] = None,
    ray: Ray = None,
    workers: Workers = 2,
    seed: o.Seed = 0,
    *,
    model: ModelChoice,
    as_json: o.Json = False,
) -> None:
    """Edit the faces of a film; run it again to go on where it stopped."""
    from apps.clips.filming import Filming, edit_film, follow_faces
    from apps.threads import import_meanwhile

    spec = wish.spec(seed)
    for path in spec.sounds:
        warn_of_sound(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    how = Filming(spec, inversion, face)
    import_meanwhile("open_clip")
    with ThreadPoolExecutor(1) as meanwhile, counter("editing the film") as advance:
        loading = meanwhile.submit(model.load)  # faces are followed without a model
        followed = follow_faces(source, out, how, advance)
        ahead = None if ray is None else drawn_by(model, ray, workers)
        done = edit_film(loading.result(), source, out, how, advance, ahead, followed)
    report({"out": out, **done}, as_json)


def drawn_by(model: ModelChoice, address: str, workers: int) -> Ahead:
    """What draws segments of a film on Ray."""
    from apps.batch.ray_engine import RayConfig
    from apps.clips.segments import by_ray

    return by_ray(model.load, RayConfig(address, workers))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(video)
