"""`jobharness init`: a first scenario for the project in this folder."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from jobharness.detect.first import write_first
from jobharness.detect.libraries import find
from jobharness.detect.source import modules_of
from jobharness.detect.workflow import Provider, write_workflow
from jobharness.errors import InvalidRequest

__all__ = ["begin"]


def begin(project: Path, ci: Provider | None = None) -> int:
    """Find the queue, write what is missing (with `ci`, a workflow too), and say what to do next. Nothing of the project is
    imported.

    Returns: 0. Raises: InvalidRequest where no queue was found.
    """
    console = Console(highlight=False)
    project = project.resolve()
    found = find(modules_of(project), project)
    if not found:
        raise InvalidRequest(
            f"no queue library was found in the source under {project}. Go to the project's folder; or, for a queue of your own, "
            'write a scenario with adapter = "python"'
        )
    app = found[0]
    about = f"{app.library}: {app.app} ({app.where}), {len(app.tasks)} tasks, broker {app.broker}"
    console.print(f"found     {about}", soft_wrap=True)
    for other in found[1:]:
        console.print(f"also      {other.library}: {other.app} ({other.where})", soft_wrap=True)
    written = write_first(app, project)
    files, kept = [*written.files], [*written.kept]
    if ci is not None:
        workflow, made = write_workflow(ci, project, app.library, app.broker)
        (files if made else kept).append(workflow)
    for path in files:
        console.print(f"written   {path.relative_to(project)}", soft_wrap=True)
    for path in kept:
        console.print(f"kept      {path.relative_to(project)} was there already", soft_wrap=True)
    for sentence in written.advice:
        console.print(f"to do     {sentence}", soft_wrap=True, markup=False)
    console.print("\nnext:     jobharness run --dry-run scenarios/worker_killed.toml", soft_wrap=True)
    return 0
