"""How a lease proof reads in a terminal: the verdict in a sentence, the schedules of each job, the smallest safe lease."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jobharness.explore.lease_proof import KindProof, LeaseProof
from jobharness.explore.ownership import Answer
from jobharness.explore.recovery import flat
from jobharness.report.crash_table import subject_of
from jobharness.report.terminal import shown_path

__all__ = ["HEADS", "proof_headline", "proof_notes", "proof_report"]

HEADS = ("schedule", "two live owners", "after", "stale owner settled", "what decided")
STYLES = {Answer.YES: "bold red", Answer.UNKNOWN: "bold yellow", Answer.REFUSED: "green", Answer.NO: "green", Answer.NONE: "dim"}


def proof_headline(proof: LeaseProof) -> str:
    """The proof in one sentence."""
    for kind in proof.kinds:
        for words in (*kind.found(proof.forbidden), *kind.untold(proof.forbidden)):
            return f"{words}: {kind.task}"
    kinds = "the only kind of job" if len(proof.kinds) == 1 else f"{len(proof.kinds)} kinds of job"
    return f"of what is forbidden ({', '.join(proof.forbidden)}) nothing was found, in {kinds}"


def proof_report(proof: LeaseProof) -> RenderableType:
    """A proof, for someone in a hurry."""
    style = {"broken": "bold red", "holds": "bold green"}.get(proof.verdict, "bold yellow")
    head = Text.assemble((f"{proof.verdict.upper()}: ", style), (proof_headline(proof) + ".", "bold"))
    parts: list[RenderableType] = [head, Text(proof.title), Text(subject_of(proof.about), "dim")]
    for kind in proof.kinds:
        parts += [Text(), *_kind(kind, proof)]
    notes = "\n".join(proof_notes(proof))
    evidence = Text(f"What was seen when, with transcripts and logs: {shown_path(proof.folder / 'trials')}", "dim")
    page = Text.assemble(("Report: ", "dim"), shown_path(proof.folder / "report.html"))
    return Group(*parts, Text(), Text(notes, "dim"), evidence, page)


def _kind(kind: KindProof, proof: LeaseProof) -> Iterator[RenderableType]:
    yield Text(kind.task, "bold")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in HEADS:
        table.add_column(name, overflow="fold", justify="right" if name == "after" else "left")
    for one in kind.played:
        after = f"{one.after_s:.1f} s" if one.after_s is not None else "–"
        owners = Text(str(one.two_owners), STYLES[one.two_owners])
        table.add_row(str(one.schedule), owners, after, Text(str(one.stale_settled), STYLES[one.stale_settled]), one.why)
    yield table
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text("smallest safe lease", "dim"), Text(kind.safe.sentence, "bold red" if kind.safe.too_short else "bold"))
    for further in kind.safe.further:
        grid.add_row("", further)
    grid.add_row(Text("rests on", "dim"), kind.clock)
    for found in kind.found(proof.forbidden):
        grid.add_row(Text("forbidden", "dim"), Text(found, "red"))
    yield grid


def proof_notes(proof: LeaseProof) -> Iterator[str]:
    """What one must know to read it."""
    if proof.terms is not None:
        lasts = "for ever" if proof.terms.lasts_s == float("inf") else f"{proof.terms.lasts_s:.4g} s"
        yield f"The lease, as the app has it: {proof.terms.words}; it lasts {lasts}."
    if proof.shortened is not None:
        settings = ", ".join(f"{name} = {value}" for name, value in flat(proof.shortened.settings))
        yield f"Here it was shortened, and the live app took it: {settings}."
    yield f"{sum(len(kind.trials) for kind in proof.kinds)} schedules in {proof.took_s:.0f} s."
