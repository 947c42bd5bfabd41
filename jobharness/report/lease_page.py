"""The page of a lease proof, and its entry in the list of runs."""

from __future__ import annotations

import json
from pathlib import Path

from jobharness.explore.lease_proof import LeaseProof
from jobharness.report.crash_table import subject_of
from jobharness.report.html import render
from jobharness.report.index import write_index
from jobharness.report.lease_table import proof_headline, proof_notes

__all__ = ["publish_proof"]

PAGE = "report.html"


def publish_proof(proof: LeaseProof) -> Path:
    """Write leaseproof.json, what the list of runs reads, and report.html; returns the page's path."""
    proof.save()
    wrong = [{"word": proof.verdict, "contract": "lease proof", "sentence": proof_headline(proof)}]
    files = {"run": dict(proof.about), "verdict": {"verdict": proof.verdict, "findings": wrong, "gate": []}, "metrics": {}}
    for name, plain in files.items():
        text = json.dumps(plain, indent=1, ensure_ascii=False, default=str)
        (proof.folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    page = render(
        "leaseproof.html.j2",
        proof=proof,
        headline=proof_headline(proof),
        subject=subject_of(proof.about),
        notes=list(proof_notes(proof)),
    )
    path = proof.folder / PAGE
    path.write_text(page, encoding="utf-8")
    write_index(proof.folder.parent)
    return path
