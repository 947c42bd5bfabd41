"""What must hold: one promise per file, each a pure function of the History.

`contract` is the seam (verdicts, findings, judging). No clock, no disk, no randomness lives here. To add a promise,
add a file with one
class that has `name`, `promise` and `check(history) -> Finding`, its slow oracle in the tests, and its name in the catalog.
"""
