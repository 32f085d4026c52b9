"""What the parser tells apart, and the parts of a face that are made of these classes."""

from __future__ import annotations

CLASSES = (
    "background",
    "skin",
    "hair",
    "brows",
    "eyes",
    "iris",
    "nose",
    "lips",
    "mouth",
    "teeth",
    "ears",
    "neck",
    "glasses",
    "beard",
    "hat",
    "clothes",
)
"""Every pixel belongs to one; "eyes" is the white of the eyes, "mouth" its inside without teeth."""

COLORS = (
    (0, 0, 0),
    (245, 190, 150),
    (160, 70, 20),
    (90, 40, 120),
    (255, 255, 255),
    (0, 110, 255),
    (255, 140, 90),
    (230, 20, 70),
    (110, 0, 30),
    (255, 250, 160),
    (255, 215, 60),
    (190, 130, 110),
    (0, 220, 220),
    (120, 160, 0),
    (255, 0, 255),
    (60, 120, 90),
)
"""A display colour of every class, RGB in 0 to 255."""

PARTS: dict[str, tuple[str, ...]] = {
    "hair": ("hair",),
    "eyes": ("eyes", "iris", "brows"),
    "mouth": ("lips", "mouth", "teeth"),
    "skin": ("skin", "nose", "ears", "neck"),
    "background": ("background",),
}
"""Named parts of a face (`guidance.controls.regions.REGIONS`) as classes."""


def class_indices(names: tuple[str, ...]) -> list[int]:
    """Places of classes in `CLASSES`.

    Raises:
        ValueError: a name that is neither a class nor a part.
    """
    out: list[int] = []
    for name in names:
        if name not in CLASSES and name not in PARTS:
            valid = sorted({*CLASSES, *PARTS})
            raise ValueError(f"{name!r} is not one of {', '.join(valid)}")
        out += [CLASSES.index(one) for one in ((name,) if name in CLASSES else PARTS[name])]
    return sorted(set(out))
