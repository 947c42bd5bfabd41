"""A git ref as files: a worktree of its own, away from the project, that is gone afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobharness.errors import InvalidRequest, nearest

__all__ = ["State", "changed_files", "checkout", "commit_of", "state_of"]

PREFIX = "jobharness-ab-"
SHORT = 12


@dataclass(frozen=True)
class State:
    """What a project's files are: the commit, and what was changed and not committed."""

    commit: str
    uncommitted: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """For people."""
        if not self.uncommitted:
            return f"commit {self.commit[:SHORT]}"
        shown = ", ".join(self.uncommitted[:5]) + (f" and {len(self.uncommitted) - 5} more" if len(self.uncommitted) > 5 else "")
        return f"commit {self.commit[:SHORT]} with changes that are not committed: {shown}"


def state_of(project: Path) -> State | None:
    """Of the project as it lies there; None where it is no git repository, or has no commit."""
    commit = _ask(project, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return None
    # Untracked files are not told: reports, caches and environments are.
    changed = (_ask(project, "status", "--porcelain", "--untracked-files=no") or "").splitlines()
    return State(commit, tuple(line[2:].strip() for line in changed))


def commit_of(project: Path, ref: str) -> str:
    """The commit that a ref names. Raises: InvalidRequest."""
    if _ask(project, "rev-parse", "--git-dir") is None:
        raise InvalidRequest(f"{ref!r} names a version by git, and {project} is no git repository")
    commit = _ask(project, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if commit is None:
        known = (_ask(project, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags") or "").splitlines()
        guess = nearest(ref, known)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise InvalidRequest(f"git knows no {ref!r}{hint} (branches and tags: {', '.join(known[:20]) or 'none'})")
    return commit


@contextmanager
def checkout(project: Path, ref: str) -> Iterator[tuple[Path, str]]:
    """The project's folder as it is in `ref`, and the commit; gone at the end.

    Raises: InvalidRequest for a ref that there is not, or in which the project's folder is missing.
    """
    commit = commit_of(project, ref)
    top = Path(_ask(project, "rev-parse", "--show-toplevel") or project)
    _sweep(project)
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    done = _git(project, "worktree", "add", "--detach", "--force", str(place / top.name), commit)
    try:
        if done.returncode != 0:
            raise InvalidRequest(f"{ref!r} cannot be checked out: {done.stderr.strip()}")
        folder = place / top.name / project.resolve().relative_to(top.resolve())
        if not folder.is_dir():
            raise InvalidRequest(f"{ref!r} has no folder {project.resolve().relative_to(top.resolve())}")
        yield folder.resolve(), commit
    finally:
        _git(project, "worktree", "remove", "--force", str(place / top.name))
        shutil.rmtree(place, ignore_errors=True)


def changed_files(project: Path, before: str | None, after: str | None) -> Sequence[str]:
    """`git diff --stat` from one commit to the other, a line each; None is the project as it lies there. Empty where nothing
    differs."""
    if before is None and after is None:
        return ()
    # Git compares a commit with the files that lie there if it is given one commit; turned round where those are the first.
    ends = [before or after or "", *([after] if before and after else [])]
    turned = ["-R"] if before is None else []
    return (_ask(project, "diff", "--stat=100", *turned, *ends) or "").splitlines()


def _sweep(project: Path) -> None:
    """Remove what an earlier process left that was ended before it could."""
    for line in (_ask(project, "worktree", "list", "--porcelain") or "").splitlines():
        match = re.fullmatch(rf"worktree (.*/{PREFIX}(\d+)-[^/]+)/[^/]+", line)
        if match and not Path(f"/proc/{match[2]}").exists():
            _git(project, "worktree", "remove", "--force", line.removeprefix("worktree "))
            shutil.rmtree(match[1], ignore_errors=True)


def _ask(project: Path, *words: str) -> str | None:
    """What git answers; None where it refuses."""
    done = _git(project, *words)
    return done.stdout.strip("\n") if done.returncode == 0 else None


def _git(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, check=False)
    except OSError as error:
        raise InvalidRequest(f"a git ref needs git, and it cannot be run: {error.strerror}") from error
