"""A git ref as files. Git itself is run, in folders of the tests."""

import subprocess

import pytest

from jobharness.compare.checkout import changed_files, checkout, state_of
from jobharness.errors import InvalidRequest


def git(folder, *words):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A project in a folder of its repository, of two commits; the first has the tag `old`."""
    folder = tmp_path / "repository" / "shop"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", "..")
    for text in ("old", "new"):
        (folder / "app.py").write_text(f"{text}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", text)
    git(folder, "tag", "old", "HEAD~1")
    return folder


def test_checkout_has_the_files_of_the_ref_and_leaves_nothing_behind(project):
    with checkout(project, "old") as (folder, commit):
        assert (folder / "app.py").read_text() == "old\n"
        assert commit == git(project, "rev-parse", "old")
        assert folder.name == "shop"
    assert not folder.exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1
    assert (project / "app.py").read_text() == "new\n"


def test_checkout_is_gone_after_an_error_too(project):
    with pytest.raises(RuntimeError), checkout(project, "old") as (folder, _):
        raise RuntimeError
    assert not folder.exists()


def test_unknown_ref_names_the_nearest_one(project):
    with (
        pytest.raises(InvalidRequest, match=r"git knows no 'mian'; did you mean 'main'\? \(branches and tags: main, old\)"),
        checkout(project, "mian"),
    ):
        pass


def test_folder_without_git_is_refused(tmp_path):
    with pytest.raises(InvalidRequest, match="is no git repository"), checkout(tmp_path, "main"):
        pass
    assert state_of(tmp_path) is None


def test_what_is_not_committed_is_told_by_name(project):
    assert state_of(project).uncommitted == ()
    (project / "app.py").write_text("newer\n")
    state = state_of(project)
    assert state.sentence.endswith("with changes that are not committed: shop/app.py")


def test_files_that_differ_are_counted_from_before_to_after(project):
    old = git(project, "rev-parse", "old")
    (project / "app.py").write_text("newer\nand longer\n")
    assert "2 insertions(+), 1 deletion(-)" in changed_files(project, old, None)[-1]
    assert "1 insertion(+), 2 deletions(-)" in changed_files(project, None, old)[-1]
    assert "1 insertion(+), 1 deletion(-)" in changed_files(project, old, git(project, "rev-parse", "main"))[-1]
    assert changed_files(project, None, None) == ()
