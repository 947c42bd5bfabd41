"""How charts get onto a page: Plotly's figures as JSON, and its script, packed so that a page stays self-contained.

A colour is named by the style sheet's variable (`var(--blue)`) and looked up by the page when it draws, so that charts follow
the reader's dark mode. Every mark has a shape, a dash or a pattern of its own: nothing rests on its colour. The script is packed
with gzip (2 MB instead of 4.8) and unpacked by the browser; the page's Content-Security-Policy allows it by its hash. Plotly is
imported when a page is made, not before.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

__all__ = ["Drawing", "axis", "drawing_of", "layout", "script_hash"]


@dataclass(frozen=True)
class Drawing:
    """What `drawing.html.j2` puts into a page: the figures, Plotly's script as base64 of gzip, and the script that draws.

    `hashes`: what a Content-Security-Policy calls the two scripts by.
    """

    figures: Markup
    plotly: Markup
    script: Markup
    hashes: Markup


def drawing_of(figures: Mapping[str, Any]) -> Drawing:
    """The drawing of some Plotly figures, each by the id of the element that it is drawn into."""
    plotly, plotly_hash = _packed()
    script = (files("jobharness.report") / "templates" / "drawing.js").read_text(encoding="utf-8")
    plain = ",".join(f"{json.dumps(name)}:{figure.to_json()}" for name, figure in figures.items())
    return Drawing(
        # Plotly escapes `<` in what it writes: no text of a figure ends the element that it stands in.
        figures=Markup("{" + plain + "}"),
        plotly=plotly,
        script=Markup(script),
        hashes=Markup(f"'{script_hash(script)}' '{plotly_hash}'"),
    )


@cache
def _packed() -> tuple[Markup, str]:
    """Plotly's own script, packed, and its hash."""
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs()
    return Markup(base64.b64encode(gzip.compress(script.encode(), 6, mtime=0)).decode()), script_hash(script)


def script_hash(script: str) -> str:
    """What a Content-Security-Policy calls a script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def layout(height_px: float, margins_px: Mapping[str, float], **more: Any) -> dict[str, Any]:
    """The layout that all charts share: the page's own colours and letters, as wide as the page lets it be, and still: a finger
    that moves over it scrolls the page."""
    return {
        "template": "none",
        "autosize": True,
        "height": height_px,
        "margin": dict(margins_px),
        "paper_bgcolor": "var(--paper)",
        "plot_bgcolor": "var(--paper)",
        "font": {"color": "var(--ink)", "size": 13, "family": "system-ui, sans-serif"},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "var(--raised)", "font": {"color": "var(--ink)"}, "align": "left"},
        **more,
    }


def axis(**more: Any) -> dict[str, Any]:
    """An axis as all charts have it."""
    return {"gridcolor": "var(--hair)", "zeroline": False, "linecolor": "var(--line)", "fixedrange": True, **more}
