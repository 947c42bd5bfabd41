"""How charts get onto a page."""

import base64
import gzip
import hashlib
import json

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from jobharness.report.drawing import axis, drawing_of, layout


def test_plotlys_own_script_is_packed_and_known_by_its_hash() -> None:
    drawing = drawing_of({})
    script = gzip.decompress(base64.b64decode(drawing.plotly))
    assert script.decode() == get_plotlyjs()
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" in drawing.hashes
    assert len(drawing.plotly) < 2_100_000


def test_no_text_of_a_figure_ends_the_element_that_it_stands_in() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[2], name="</script><script>alert(1)</script>"), layout(100, {"l": 1}, xaxis=axis()))
    figures = drawing_of({"one": figure}).figures
    assert "<" not in figures
    assert json.loads(figures)["one"]["data"][0]["name"] == "</script><script>alert(1)</script>"


def test_colours_are_the_style_sheets() -> None:
    figure = go.Figure(layout=layout(100, {}, xaxis=axis()))
    assert json.loads(drawing_of({"one": figure}).figures)["one"]["layout"]["paper_bgcolor"] == "var(--paper)"
