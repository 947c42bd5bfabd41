"""Run by every Python that has this folder on its path: boots the agent, then runs the sitecustomize it hides.

The folder holds nothing else, so that no module of ours can shadow one of the app's.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _boot():
    here = os.path.dirname(os.path.abspath(__file__))
    home = os.path.dirname(here)
    spec = importlib.util.spec_from_file_location(
        "jobharness_agent", os.path.join(home, "__init__.py"), submodule_search_locations=[home]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["jobharness_agent"] = package
    spec.loader.exec_module(package)
    from jobharness_agent import boot

    boot.start(os.environ)
    return here


def _run_hidden(here):
    others = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_run_hidden(_boot())
