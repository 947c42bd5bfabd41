"""A certificate for servers of one run, and the authority that their callers have to trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

__all__ = ["Certificate"]


@dataclass(frozen=True)
class Certificate:
    """`chain`: key and certificate as the server needs them; `ca`: what its callers have to trust. `package` makes them; the
    extra `upstream` installs it."""

    package: ClassVar[str] = "trustme"
    chain: Path
    ca: Path

    @classmethod
    def made_for(cls, hosts: Sequence[str], folder: Path, name: str) -> Certificate:
        """A new one of a new authority, in `{name}.pem` and `{name}-ca.pem`. `hosts`: names or addresses; `folder` exists."""
        import trustme

        authority = trustme.CA(organization_name="jobharness, for one run")
        made = cls(folder / f"{name}.pem", folder / f"{name}-ca.pem")
        authority.issue_cert(*hosts).private_key_and_cert_chain_pem.write_to_path(str(made.chain))
        authority.cert_pem.write_to_path(str(made.ca))
        return made
