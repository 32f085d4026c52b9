"""`semblance channels`: single style channels that change one region of the face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from apps.commands import options as o
from apps.commands.groups import grouped
from apps.commands.training.directions import Place
from apps.console import report, steps

if TYPE_CHECKING:
    from torch import Tensor

    from guidance.controls.channels import Masks
    from multimodal import FaceEditor


@grouped
def channels(
    place: Place,
    region: Annotated[str, typer.Option(help="hair, eyes, mouth, skin or background.")],
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many channels.")] = 5,
    faces: Annotated[int, typer.Option(min=1, max=10_000, help="Sampled faces looked at.")] = 6,
    least: Annotated[
        float, typer.Option(min=0, max=1, help="Share of its effect a channel has there.")
    ] = 0.1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> None:
    """StyleSpace: find the channels that move a region, and name them "mouth 1", "mouth 2", ...

    They become directions of the model: sliders in the studio, names for edit lists.
    """
    from guidance.controls.channels import FILE_NAME, ChannelConfig, Channels, find_channels

    editor, folder = place.open()
    config = ChannelConfig(count, faces, least=least, seed=seed)
    with steps("looking at style channels") as on_step:
        found = find_channels(editor.generator, region_of(editor, region), region, config, on_step)
    kept = (folder / FILE_NAME).is_file()
    both = Channels.load(folder).joined(found) if kept else found
    path = both.save(folder)
    shares = {
        name: f"style {style} channel {channel}, {locality:.0%} local"
        for name, (style, channel), locality in zip(
            found.names, found.places.tolist(), found.localities.tolist(), strict=True
        )
    }
    report({**shares, "file": path}, as_json)


def region_of(editor: FaceEditor, region: str) -> Masks:
    """Where a region is: as the model's parser sees it, else where alignment puts it."""
    from guidance.controls.regions import parsed_mask, region_mask

    side, parser = editor.generator.resolution, editor.toolkit.parser
    usual = region_mask(region, side)

    def masks(picture: Tensor) -> Tensor:
        seen = None if parser is None else parsed_mask(parser, picture.clamp(-1, 1), region, side)
        return usual if seen is None else seen

    return masks


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(channels)
