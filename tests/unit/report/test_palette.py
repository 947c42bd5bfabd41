"""Every colour that text is set in can be read on its ground, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jobharness.report
from jobharness.report.words import MARKS

STYLE = (Path(jobharness.report.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
TEXT_COLOURS = ("ink", "soft", "blue", "fault", "broken", "holds", "unknown", "vacuous")
LEAST_CONTRAST = 4.5  # WCAG 2, level AA, for text of normal size.


def palette(scheme: str) -> dict[str, str]:
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)", 1)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark.split("}", 1)[0]))


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", ["paper", "raised"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("colour", TEXT_COLOURS)
def test_text_stands_out_from_its_ground(scheme: str, ground: str, colour: str) -> None:
    colours = palette(scheme)
    bright, dim = sorted((luminance(colours[colour]), luminance(colours[ground])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= LEAST_CONTRAST


def test_each_verdict_has_a_shape_of_its_own() -> None:
    words = ("broken", "unknown", "vacuous", "holds")
    assert len({MARKS[word] for word in words}) == len(words)
