"""Strips of faces with labels: before, after, and what strength does."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

PAPER, INK = "#faf7f2", "#211c17"
GAP = 8


def strip(pictures: Sequence[Image.Image], labels: Sequence[str] = ()) -> Image.Image:
    """Pictures side by side, at the height of the first, with a label under each.

    Raises:
        ValueError: no pictures, or labels that do not match them.
    """
    if not pictures or (labels and len(labels) != len(pictures)):
        raise ValueError(f"{len(labels)} labels for {len(pictures)} pictures")
    height = max(pictures[0].height, 96)
    cells = [_at_height(picture, height) for picture in pictures]
    size = max(12, height // 14)
    font = ImageFont.load_default(size=size)
    foot = round(size * 1.8) if labels else 0
    width = sum(cell.width for cell in cells) + GAP * (len(cells) + 1)
    sheet = Image.new("RGB", (width, height + 2 * GAP + foot), PAPER)
    draw = ImageDraw.Draw(sheet)
    left = GAP
    for index, cell in enumerate(cells):
        sheet.paste(cell, (left, GAP))
        if labels:
            text = _fitted(labels[index], font, cell.width)
            middle = (left + cell.width / 2, height + GAP + foot / 2)
            draw.text(middle, text, fill=INK, font=font, anchor="mm")
        left += cell.width + GAP
    return sheet


def stack(rows: Sequence[Image.Image]) -> Image.Image:
    """Sheets one above the other, aligned left."""
    if not rows:
        raise ValueError("a sheet needs at least one row")
    width = max(row.width for row in rows)
    sheet = Image.new("RGB", (width, sum(row.height for row in rows)), PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _at_height(picture: Image.Image, height: int) -> Image.Image:
    if picture.height == height:
        return picture.convert("RGB")
    width = max(1, round(picture.width * height / picture.height))
    return picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels."""
    shown = " ".join(text.split())
    while shown and font.getlength(shown) > width:
        shown = shown.removesuffix("…")[:-1].rstrip() + "…"
        if shown == "…":
            break
    return shown
