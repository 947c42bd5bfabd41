"""What keeps a run from doing harm: ceilings on its load, and what ends it before its time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from jobharness.scenario.part import Part
from jobharness.scenario.units import Duration, Quantity, Rate

__all__ = ["AbortSpec", "LimitsSpec", "ProbeSpec"]


class LimitsSpec(Part):
    """The most that a load may come to in staging, where others live too. More is refused before anything starts."""

    rate: Rate = 50.0
    """Jobs a second, at the busiest."""
    jobs: int = Field(default=20_000, ge=1)
    """Jobs in all."""
    duration: Duration = 600.0
    """How long jobs arrive."""


class ProbeSpec(Part):
    """One part of the error budget: something that is read all along, and the range that it has to stay in."""

    name: str = Field(min_length=1)
    """What the report calls it."""
    url: str = ""
    """An HTTP URL that is asked; {service.url} and its kin are filled in. Its status counts, which has to be 200 to 299, unless
    `of` or one of the next three names something else."""
    of: Literal["status", "latency"] = "status"
    """What counts of the answer: its status, or how long it took, in seconds."""
    json_path: str = Field(default="", alias="json")
    """Where in the answer's JSON the number stands, such as "queue.0.age"."""
    metric: str = ""
    """The metric to read where the URL answers in Prometheus's text format, such as "http_errors_total" or
    'up{job="shop"}'; of several samples that fit, their sum."""
    query: str = ""
    """The instant query, where the URL is a Prometheus server's; of several results, their sum."""
    own: Literal["backlog", "oldest_job", "error_share", "dead_jobs"] | None = None
    """Instead of `url`, what the run itself counts: jobs that wait, the age of the oldest of them in seconds, the share of the
    last 100 executions that raised, jobs that were given up."""
    min: Quantity | None = None
    """The least it may be."""
    max: Quantity | None = None
    """The most it may be."""
    hold: Duration = Field(default=0.0, alias="for")
    """How long it may be out of its range, or give no answer, until the run is aborted."""
    every: Duration = Field(default=1.0, gt=0)
    """How often it is read."""

    @model_validator(mode="after")
    def _one_thing_to_read(self) -> ProbeSpec:
        if bool(self.url) == (self.own is not None):
            raise ValueError("a probe has either `url` or `own`")
        given = [key for key, value in (("json", self.json_path), ("metric", self.metric), ("query", self.query)) if value]
        if len(given) > 1 or (given and (self.own is not None or self.of == "latency")):
            raise ValueError("a probe reads one thing: the status, `of` an answer its latency, or `json`, `metric` or `query`")
        plain = self.own is None and not given and self.of == "status"
        if self.min is None and self.max is None and not plain:
            raise ValueError("a probe needs `min` or `max`, which it must not leave")
        return self

    @property
    def range(self) -> tuple[float, float]:
        """From what to what it may be."""
        if self.min is None and self.max is None:
            return 200.0, 299.0
        return self.min if self.min is not None else float("-inf"), self.max if self.max is not None else float("inf")


class AbortSpec(Part):
    """What ends a run before its time: every fault is healed at once, and the verdict is unknown."""

    file: str | None = None
    """A file whose appearance aborts the run, relative to the project; ABORT in the run's own folder always does."""
    probe: tuple[ProbeSpec, ...] = ()
    """The error budget: what aborts the run by itself."""

    @model_validator(mode="after")
    def _names_differ(self) -> AbortSpec:
        names = [probe.name for probe in self.probe]
        if len(set(names)) < len(names):
            raise ValueError("two probes have the same name")
        return self
