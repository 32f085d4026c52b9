"""What belongs together: colours and adjectives find the part of a face of which they speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guidance.wishes.colors import nearest, shaded
from guidance.wishes.items import Item
from guidance.wishes.types import Color, Sense
from guidance.wishes.vocabulary import Head, Vocabulary

SHADES = {"dark": "dark", "deep": "dark", "darker": "dark"}
SHADES |= dict.fromkeys(("light", "pale", "lighter", "paler", "fair"), "light")
SKINS = ("black", "white", "brown")
"""Colours that are said of people."""

GRAYS = ("gray", "grey", "silver")
GRAY_NAMES = {"grey": "gray"}
JOIN_COST = 2

BODILY = ("weight", "skin", "hair_length", "hair_style")
"""What is said of the face or its hair alone: thin eyebrows do not make a thin face."""


def attached(items: Sequence[Item], words: Vocabulary) -> list[Item]:
    """Items in which colours, and what is said of a part of a face, have become classes; parts of
    which something is said remain only where they stand for a class themselves."""
    items = _shaded(items)
    spoken: dict[int, set[str]] = {}
    out: list[Item] = []
    for index, item in enumerate(items):
        found = _of_a_head(items, index, words)
        if found is not None:
            item, head = found
            spoken.setdefault(head, set()).update(attribute for attribute, _ in item.senses)
        else:
            item = _alone(items, index, words)
        out.append(item)
    return [_head_item(item, spoken.get(i), words) for i, item in enumerate(out)]


def _shaded(items: Sequence[Item]) -> list[Item]:
    """ "Dark" or "light" before a colour made part of it."""
    out: list[Item] = []
    for item in items:
        before = out[-1] if out else None
        if item.color and before and before.kind != "color" and before.text in SHADES:
            out.pop()
            color = shaded(item.color, SHADES[before.text])
            item = replace(item, text=f"{before.text} {item.text}", color=color, senses=())
            item = replace(item, fresh=before.fresh)
        out.append(item)
    return out


def _of_a_head(items: Sequence[Item], index: int, words: Vocabulary) -> tuple[Item, int] | None:
    """An item as said of the nearest part of a face of which it can be said, and that part."""
    item = items[index]
    if item.kind not in ("sense", "color", "word", "strength") or item.head is not None:
        return None
    for place in _heads(items, index):
        head = items[place].head
        assert head is not None
        said = " ".join(items[i].text for i in sorted((index, place)))
        sense, color = head.said.get(item.text), None
        if sense is None and item.color is not None and head.colors is not None:
            sense, color = _color_class(head.colors, item.color, item.text, words), item.color
            if sense is None:
                return replace(item, kind="word", text=said), place
            if sense == ("hair_color", GRAY_NAMES.get(item.text, item.text)):
                color = None  # the usual one of such hair
        if sense is not None and (abs(place - index) == 1 or item.kind != "strength"):
            made = replace(item, kind="sense", senses=(sense,), text=said, color=color, head=None)
            return replace(made, part=_part(head, (sense,))), place
        if place == index + 1 and item.kind == "sense" and _part(head, item.senses):
            return replace(item, text=said, part=head.name), place
        if place == index + 1 and any(attribute in BODILY for attribute, _ in item.senses):
            return replace(item, kind="word", text=said, senses=()), place
    return None


def _part(head: Head, senses: Sequence[Sense]) -> str:
    """The part of a face whose own colour of hair some classes are: a beard, not the hair."""
    of_hair = any(attribute in ("hair_color", "hair_dye") for attribute, _ in senses)
    return head.name if of_hair and head.sense is not None else ""


def _heads(items: Sequence[Item], index: int) -> list[int]:
    """Places of parts of a face in an item's own clause, the nearest first."""
    costs: dict[int, int] = {}
    for step in (1, -1):
        cost, place = 0, index + step
        while 0 <= place < len(items) and items[place].kind != "stop":
            kind = items[place].kind
            if items[place].head is not None:
                costs[place] = 2 * cost + (step < 0)
                break
            if kind == "no":
                break
            cost += JOIN_COST if kind == "join" else 1
            place += step
    return sorted(costs, key=lambda place: costs[place])


def _color_class(attribute: str, color: Color, name: str, words: Vocabulary) -> Sense | None:
    """The class of a colour on a part of a face, or None where no face has it there; hair can be
    dyed in any."""
    if attribute == "frames":
        return "glasses", "clear"
    if attribute not in words.palettes:
        return attribute, name
    value, far = nearest(color, words.palettes[attribute])
    if far > words.reach.get(attribute, 1000):
        return ("hair_dye", name) if attribute == "hair_color" else None
    return ("lipstick" if attribute == "lips" else attribute), value


def _alone(items: Sequence[Item], index: int, words: Vocabulary) -> Item:
    """An item of which no part of a face is near: a colour of a person, a shape of a face."""
    item = items[index]
    if item.kind == "color" and not item.senses:
        person = any(
            other.kind == "sense" and any(a in ("sex", "age") for a, _ in other.senses)
            for other in items[index + 1 : index + 3]
        )
        if item.text in GRAYS or (person and item.text in SKINS):
            attribute = "hair_color" if item.text in GRAYS else "skin"
            assert item.color is not None
            sense = _color_class(attribute, item.color, item.text, words)
            return replace(item, kind="sense", senses=(sense,) if sense else ())
        return replace(item, kind="word")
    if item.kind == "color":
        return replace(item, kind="sense", color=None)
    if item.kind == "word" and item.text in words.shape.said:
        return replace(item, kind="sense", senses=(words.shape.said[item.text],))
    return item


def _head_item(item: Item, spoken: set[str] | None, words: Vocabulary) -> Item:
    """A part of a face as the class it stands for, unless what is said of it says more."""
    if item.kind != "head" or item.head is None:
        return item
    sense = item.head.sense
    if spoken is not None and (sense is None or sense[0] in spoken):
        return replace(item, kind="done")
    if sense is None:
        return item
    return replace(item, kind="sense", senses=(sense,))


def attributes_of(head: Head) -> tuple[str, ...]:
    """The attributes that can be said of a part of a face."""
    found = dict.fromkeys(attribute for attribute, _ in head.said.values())
    if head.colors in ("hair_color", "skin"):
        found[head.colors] = None
    return tuple(found)
