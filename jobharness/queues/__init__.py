"""Which system is under test: one file per queue library, the harness's side of it.

`queue` is the seam. What runs inside the workers is in `jobharness.agent.libraries`. To add a library: one file
here, one there, its name in the catalog, the conformance tests.
"""
