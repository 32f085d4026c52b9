"""The page of a study: one HTML file with the pictures in it, which sends nothing anywhere."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable
from pathlib import Path
from string import Template

from PIL import Image

from apps.study.plan import KINDS, Study
from multimodal.files.weights import atomic
from multimodal.images import load_image

SIDE, QUALITY = 512, 92

OnPicture = Callable[[int, int, str], None]
"""Called with (questions done, questions in all, a note)."""


def write_page(
    study: Study,
    folder: Path,
    out: Path,
    question: str | None = None,
    on_question: OnPicture | None = None,
) -> Path:
    """Write the page.

    Args:
        study: what is asked.
        folder: where its pictures lie.
        out: the page's file, `.html`.
        question: asked in place of the kind's own.
        on_question: progress.

    Raises:
        ValueError: another suffix, or a file that is no picture.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"cannot write a page as {out.name!r}: end the name in .html")
    shown = []
    for index, asked in enumerate(study.questions):
        shown.append([_embedded(path) for path in asked.paths(folder)])
        if on_question is not None:
            on_question(index + 1, len(study.questions), "")
    data = {
        "study": study.key,
        "kind": study.kind,
        "reference": [q.reference for q in study.questions],
        "pictures": shown,
    }
    words = html.escape(question or KINDS[study.kind])
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    text = template.substitute(question=words, data=json.dumps(data).replace("<", "\\u003c"))
    with atomic(out) as part:
        part.write_text(text, encoding="utf-8")
    return out


def _embedded(path: Path) -> str:
    """A picture as a data URL: small, without its name and metadata."""
    image = load_image(path)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
