"""Everything about a run that could explain why it went otherwise than another: the one place that says what can differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["LABELS", "variables_of"]

LABELS = ("title", "owner", "expected", "rollback", "known_gap", "before", "tags", "gate", "report")
"""Keys of a scenario that change nothing of what is run."""


def variables_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """What run.json says of a run, by kind of variable. A setting's live value, as the app has it, goes before what the
    scenario asked for; paths within the run's own folder are the same on every run.
    """
    about = _without_name(about, about.get("run", ""))
    app = about.get("app") or {}
    scenario = {name: value for name, value in about["scenario"].items() if name not in LABELS}
    queue = dict(scenario.pop("queue"))
    asked = queue.pop("settings", {})
    packages = app.get("packages") or {}
    # An interpreter of its own is how a side gets its versions, which are told by themselves.
    where = {name: value for name, value in queue.items() if name != "python" or not packages}
    versions = {name: value for name, value in about["versions"].items() if name != "queue" or not packages}
    return {
        "setting": {**asked, **app.get("settings", {})},
        "queue": where,
        **scenario,
        "version": {**versions, "broker": about["broker"], "app's python": app.get("python")},
        "package": packages,
        "commit": (about.get("git") or {}).get("commit"),
        "machine": about["machine"],
    }


def _without_name(value: Any, name: str) -> Any:
    """The same without the name of the run, which stands in every path of its folder."""
    if isinstance(value, Mapping):
        return {key: _without_name(inner, name) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_name(inner, name) for inner in value]
    return (
        re.sub(rf"[^\s('\"=:]*{re.escape(name)}/", "*/", value)
        if isinstance(value, str) and f"{name}/" in value and name
        else value
    )
