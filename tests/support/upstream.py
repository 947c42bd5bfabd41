"""An upstream without a run around it."""

import os
import uuid
from contextlib import contextmanager

from jobharness.processes.guardian import Guardian
from jobharness.processes.site import Site
from jobharness.upstream.behaviour import Manners
from jobharness.upstream.server import Upstream

__all__ = ["upstream_at"]


@contextmanager
def upstream_at(tmp_path, manners=None, hosts=()):
    """A running upstream; its ledger is written to `tmp_path / "records"`."""
    for name in ("data", "logs", "records"):
        (tmp_path / name).mkdir()
    mark = f"test-{uuid.uuid4()}"
    site = Site(tmp_path / "data", tmp_path / "logs", tmp_path / "records", mark, dict(os.environ))
    upstream = Upstream(manners or Manners(), hosts)
    with Guardian(mark):
        upstream.start(site)
        try:
            yield upstream
        finally:
            upstream.stop()
