"""The page of a lease proof, and its entry in the list of runs."""

from __future__ import annotations

from pathlib import Path

from jobharness.explore.lease_proof import FILE, LeaseProof
from jobharness.report.crash_table import subject_of
from jobharness.report.html import render
from jobharness.report.index import write_entry, write_index
from jobharness.report.lease_table import HEADS, proof_headline, proof_notes

__all__ = ["page_of_proof", "publish_proof"]

PAGE = "report.html"


def publish_proof(proof: LeaseProof) -> Path:
    """Write leaseproof.json, what the list of runs reads, and report.html; returns the page's path."""
    proof.save()
    write_entry(proof.folder, proof.about, proof.verdict, "lease proof", proof_headline(proof))
    page = render(
        "leaseproof.html.j2",
        proof=proof,
        headline=proof_headline(proof),
        subject=subject_of(proof.about),
        notes=list(proof_notes(proof)),
        heads=HEADS,
    )
    path = proof.folder / PAGE
    path.write_text(page, encoding="utf-8")
    write_index(proof.folder.parent)
    return path


def page_of_proof(folder: Path) -> Path | None:
    """The page of a proof, as it was made; None where the folder holds none."""
    return folder / PAGE if (folder / FILE).exists() else None
