"""A wide vocabulary for each class: what a small text tower does not know must be told.

MiniLM's sentence space holds that a raven is a bird; that hair may be called after it, it learned
nowhere. The more words of a kind a class has, the likelier an unseen one falls among them. The
words stand in `clip_words.toml`.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from recipes.render.words.captions import as_prompt
from recipes.render.words.wordings import WORDINGS

PATH = Path(__file__).with_suffix(".toml")
_HAIR = ("{} hair", "{} curls", "{} tresses", "{} strands", "a head of {} hair")
_OPENING = "a photo of "
_SUBJECTS = ("man", "woman")


@lru_cache(maxsize=1)
def clip_words() -> dict[str, dict[str, tuple[str, ...]]]:
    """Attribute, class, wordings besides those of the captions."""
    found = tomllib.loads(PATH.read_text(encoding="utf-8"))
    words = {a: {v: tuple(ws) for v, ws in cs.items()} for a, cs in found["words"].items()}
    colors = words.setdefault("hair_color", {})
    for value, names in found["colors"].items():
        hair = tuple(_HAIR[i % len(_HAIR)].format(name) for i, name in enumerate(names))
        plain = tuple(_HAIR[0].format(name) for name in names)
        colors[value] = (*colors.get(value, ()), *dict.fromkeys((*plain, *hair)))
    return words


def forms(attribute: str, wording: str, index: int = 0) -> tuple[str, ...]:
    """A wording as a prompt, alone, and said of somebody: different ones for other indices."""
    prompt = as_prompt(attribute, wording)
    short, subjects = prompt.removeprefix(_OPENING), _SUBJECTS[: 1 if attribute == "beard" else 2]
    other = subjects[index % len(subjects)]
    told = short.replace("person", other) if attribute not in ("sex", "age") else short
    return tuple(dict.fromkeys((prompt, wording, told)))


def class_wordings() -> dict[str, dict[str, tuple[tuple[str, ...], ...]]]:
    """The forms of every wording of every attribute and class; training wordings only."""
    out: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {}
    for attribute, classes in WORDINGS.items():
        more = clip_words().get(attribute, {})
        out[attribute] = {
            value: tuple(
                forms(attribute, wording, index)
                for index, wording in enumerate(dict.fromkeys((*words, *more.get(value, ()))))
            )
            for value, words in classes.items()
        }
    return out


def class_prompts() -> dict[str, dict[str, tuple[str, ...]]]:
    """The same, all forms of a class in one row."""
    return {
        attribute: {
            value: tuple(dict.fromkeys(text for texts in wordings for text in texts))
            for value, wordings in classes.items()
        }
        for attribute, classes in class_wordings().items()
    }
