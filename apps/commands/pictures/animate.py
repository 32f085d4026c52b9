"""`semblance animate` and `semblance listen`: a sound over time, and what is heard in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands import options as o
from apps.commands.groups import FaceChoice, ModelChoice, grouped
from apps.console import counter, report, say, warn_of_sound

SoundFile = Annotated[Path | None, typer.Option(help="The sound that moves the face.")]
Track = Annotated[
    Path | None, typer.Option("--text-track", help="Prompts over time, as .srt subtitles.")
]


@grouped
def animate(
    photo: o.Photo,
    out: Annotated[Path, typer.Option(help=".mp4 (with the sound), .gif or .webp.")],
    sound: SoundFile = None,
    text: Annotated[str | None, typer.Option(help="Words that hold all along.")] = None,
    track: Track = None,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 25.0,
    strength: o.Strength = 1.2,
    seconds: Annotated[float, typer.Option(help="Cut the clip here.")] = 60.0,
    whole: Annotated[bool, typer.Option("--photo", help="Draw the whole photo.")] = False,
    fidelity: o.Fidelity = "photo",
    method: o.Method = "auto",
    batch: Annotated[int, typer.Option(min=1, max=256, help="Frames drawn at a time.")] = 8,
    *,
    which: FaceChoice,
    model: ModelChoice,
    as_json: o.Json = False,
) -> None:
    """Move a face by a sound or by prompts over time; run it again to go on where it stopped."""
    from apps.clips.motion import Motion
    from apps.clips.motion import animate as write
    from apps.clips.video import CLIP_FORMATS
    from apps.outputs import with_suffix_of

    motion = Motion(
        sound, text, track, strength, fps, seconds, method, whole, batch, which.seed, fidelity
    )  # fmt: skip
    with_suffix_of(out, CLIP_FORMATS, "a clip")
    editor = model.load()
    found = which.find(editor, photo)
    with counter("drawing frames") as advance:
        write(editor, found, motion, out, lambda done, total: advance(done, total, ""))
    report({"out": out, "fps": fps, "inversion": dict(found.report)}, as_json)


Plot = Annotated[Path | None, typer.Option(help="Draw what is heard over time into this picture.")]


def listen(
    sound: Annotated[Path, typer.Argument(help="A sound file.")],
    count: Annotated[int, typer.Option(min=1, max=20, help="How many texts.")] = 5,
    plot: Plot = None,
    model: o.Model = "default",
    device: o.Device = "auto",
    as_json: o.Json = False,
) -> None:
    """Say what the sound encoder hears, with shares, and the words for a face it becomes."""
    from apps.clips.heard_strip import save_strip
    from apps.edits import load_editor
    from apps.hearing import heard, over_time, told
    from apps.outputs import with_suffix_of

    if plot is not None:
        with_suffix_of(plot, (".png",), "a plot")
    warn_of_sound(sound)
    editor = load_editor(model, device)
    ranked, known = heard(editor, sound, count), told(editor, sound)
    summary: dict[str, object] = {}
    if plot is not None:
        summary["plot"] = save_strip(*over_time(editor, sound), plot)
    words = dict(known.words) if known is not None else {}
    if as_json:
        shares = [{"text": t, "share": s} for t, s in ranked.items()]
        faces = [{"text": t, "share": s} for t, s in words.items()]
        report({"sound": sound, "heard": shares, "words": faces, **summary}, True)
        return
    report({text: f"{share:.1%}" for text, share in ranked.items()} | summary, False)
    if known is not None:
        say(known.summary)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(animate)
    app.command()(listen)
