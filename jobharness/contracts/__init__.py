"""What must hold: one promise per file, each a pure function of the History.

`contract` is the seam (verdicts, findings, judging), `promise` what most contracts are made from, `evidence` the
arithmetic they share,
`parts` judges a history piece by piece. No clock, no disk, no randomness lives here.

To add a promise: a file with one class (`name`, `promise`, `needs`, and `check(history) -> Finding`, mostly by way of
`Promise`), its slow oracle in tests/oracles/, a planted defect in tests/defects.py, its key in
`scenario.model.ContractSpec`, and its line in the catalog.
"""
