"""What was written by hand is tried first: it answers soonest, and says most plainly what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONG = {"test_catalog", "test_defects", "test_generated", "test_parts"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those of this folder's tests that try many histories, or a large one, behind its others."""
    places = [place for place, item in enumerate(items) if item.path.parent == HERE]
    for place, item in zip(places, sorted((items[place] for place in places), key=_tries_many), strict=True):
        items[place] = item


def _tries_many(item: pytest.Item) -> bool:
    return item.path.stem in LONG or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
