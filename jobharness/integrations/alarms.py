"""The rules of the seven usual alarms, as a file for Prometheus."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import StrictUndefined, Template

from jobharness.scenario.model import PrometheusSpec

__all__ = ["alarm_rules"]


def alarm_rules(spec: PrometheusSpec, interval: str = "1s") -> str:
    """The file's text, with the thresholds of `spec`. `interval`: how often Prometheus evaluates them."""
    source = files("jobharness.integrations").joinpath("rules/alarms.yml.j2").read_text(encoding="utf-8")
    template = Template(source, undefined=StrictUndefined, keep_trailing_newline=True)
    return str(
        template.render(
            interval=interval,
            hold=f"{round(spec.hold * 1000)}ms",
            window=f"{round(spec.window * 1000)}ms",
            oldest_s=f"{spec.oldest_job:g}",
            growth=f"{spec.growth:g}",
            backlog=spec.backlog,
            error_ratio=f"{spec.error_share:g}",
            dead=spec.dead_jobs,
            memory_share=f"{spec.memory_share:g}",
        )
    )
