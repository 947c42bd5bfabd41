"""What `jobharness run` decides by itself: which files are meant, and which exit code counts."""

import pytest

from jobharness.cli.run import gravest, scenario_files
from jobharness.errors import InvalidRequest


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 0), ([0, 0], 0), ([0, 4], 4), ([4, 3], 3), ([3, 2], 2), ([2, 1, 3, 4], 1), ([1, 130], 130)],
)
def test_gravest_exit_code_counts(codes, code):
    assert gravest(codes) == gravest(reversed(codes)) == code


def test_folder_stands_for_its_scenarios_in_order_and_each_file_counts_once(tmp_path):
    for name in ("b.toml", "a.toml", "inner/c.toml", "apps/pyproject.toml", "notes.md"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    found = scenario_files([tmp_path / "b.toml", tmp_path])
    assert [file.relative_to(tmp_path).as_posix() for file in found] == ["b.toml", "a.toml", "inner/c.toml"]


def test_path_that_does_not_exist_and_folder_without_scenarios_are_refused(tmp_path):
    with pytest.raises(InvalidRequest, match=r"nope\.toml: there is no such scenario"):
        scenario_files([tmp_path / "nope.toml"])
    with pytest.raises(InvalidRequest, match="the folder holds no scenario"):
        scenario_files([tmp_path])
