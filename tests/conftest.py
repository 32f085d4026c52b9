"""What holds for every test: which are quick, and that slow ones come last."""

from __future__ import annotations

import pytest

QUICK = (
    "tests/audio/",
    "tests/docs/test_architecture.py",
    "tests/guidance/",
    "tests/multimodal/faces/",
    "tests/multimodal/files/",
    "tests/multimodal/inversion/",
    "tests/multimodal/recognition/",
    "tests/multimodal/test_",
    "tests/recipes/render/",
)
"""Rooms and files whose tests are the quick ones: `make quick`, a minute on two cores."""

LONG = ("test_encoders.py", "test_portrait_model.py", "test_arcface.py")
"""Files there that compare whole public networks or load the shipped model."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the quick tests; let files that hold a slow one come last, whatever else is asked."""
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    for item in items:
        inside = item.nodeid.startswith(QUICK) and item.path.name not in LONG
        if inside and item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.quick)
    items.sort(key=lambda item: item.path in slow_files)
