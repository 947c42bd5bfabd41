"""The environment of a side of a comparison: built by uv where it is there and can, by pip otherwise."""

import shutil
import subprocess

import pytest

from jobharness.compare.environment import environment

pytestmark = pytest.mark.real


@pytest.mark.parametrize("uv", ["there", "absent", "cannot"])
def test_it_holds_what_is_required_compiled_and_is_built_once(uv, tmp_path, monkeypatch):
    if uv != "there":
        found = {"absent": None, "cannot": shutil.which("false")}[uv]
        monkeypatch.setattr("jobharness.compare.environment.shutil.which", lambda *_, **__: found)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = environment("six==1.16.0")
    look = [str(made / "bin" / "python"), "-c", "import six; print(six.__version__)"]
    assert subprocess.run(look, capture_output=True, text=True, check=True).stdout == "1.16.0\n"
    assert list(made.glob("lib/*/site-packages/__pycache__/six.*.pyc"))
    assert bool(list(made.glob("lib/*/site-packages/pip"))) == (uv != "there")
    (made / "kept").touch()
    assert environment("six==1.16.0") == made
    assert (made / "kept").exists()
