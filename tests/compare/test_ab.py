"""`jobharness ab` with real runs of a small queue: what is planted is called, what is not is not."""

import json
import re
import signal

import pytest

from tests.support.leftovers import leftovers

pytestmark = pytest.mark.real


def kept(shop, _):
    """The trial as comparison.json has it."""
    (path,) = shop.folder.glob("reports/*/comparison.json")
    return json.loads(path.read_text())


def test_one_lost_job_after_the_change_is_a_broken_promise_whatever_the_statistics_say(shop):
    done = shop.jobharness("ab", "shop.toml", "--before", ".", "--after", "queue.env.SHOP_LOSES='50'", "--runs", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith("Broken after the change: at_least_once."), done.stdout
    assert re.search(r"at_least_once +newly broken +broken in 0 of 2 runs before and 2 of 2 after", done.stdout)
    assert kept(shop, done)["after"]["runs"][0]["metrics"]["jobs.lost"]["value"] == 1


def test_slower_version_crosses_the_gate_and_the_record_says_what_a_reader_needs(shop):
    """Five times as slow, so that a busy machine cannot hide it; two git refs."""
    shop.git("tag", "fast")
    shop.write("shop.py", (shop.folder / "shop.py").read_text().replace("0.004 * PACE", "0.02 * PACE"))
    shop.commit("charge: ask the bank as well")
    words = ("--fail", "run_time.p50:10%", "--reason", "the bank asks for it", "--markdown", "record.md", "--runs", "12")
    done = shop.jobharness("ab", "shop.toml", "--before", "fast", "--after", "main", *words)
    assert done.returncode == 4, done.stdout + done.stderr
    trial, record = kept(shop, done), (shop.folder / "record.md").read_text()
    judged = {one["name"]: one for one in trial["judgements"]}["run_time.p50"]
    assert (judged["word"], judged["count"]) == ("worse", 12)
    assert 1 < judged["effect"] < 8
    for told in (
        "the bank asks for it",
        "payments",
        "no slower than before",
        "git revert",
        "shop.py | 2 +-",
        "jobharness ab shop.toml",
        "run_time.p50",
    ):
        assert told in record, f"{told!r} is not in:\n{record}"
    assert "things differ" not in record
    assert len(record) < 6000
    seeds = [[run["seed"] for run in trial[side]["runs"]] for side in ("before", "after")]
    assert seeds[0] == seeds[1] == list(range(1, 13))
    order = [run["folder"] for side in ("before", "after") for run in trial[side]["runs"]]
    assert sorted(order) != order, "the sides were not run in turns"
    assert len(shop.git("worktree", "list").splitlines()) == 1


def test_same_version_is_called_neither_better_nor_worse(shop):
    done = shop.jobharness("ab", "shop.toml", "--before", "main", "--after", ".", "--runs", "12")
    assert done.returncode == 0, done.stdout + done.stderr
    # Where the machine is so busy that no run can be measured by, none can be judged.
    assert done.stdout.startswith(("No metric is called better or worse", "No metric could be judged")), done.stdout
    assert "Nothing differs between the sides" in done.stdout


def test_two_changes_at_once_are_warned_of(shop):
    done = shop.jobharness(
        "ab", "shop.toml", "--before", ".", "--after", "queue.workers=2", "--after", "queue.env.SHOP_PACE='2'", "--runs", "2"
    )
    assert (
        "! 2 things differ (queue.workers, queue.env.SHOP_PACE), so none of them alone can be named as the cause." in done.stdout
    )


def test_worktree_that_is_not_clean_is_recorded_and_said(shop):
    shop.write("shop.py", (shop.folder / "shop.py").read_text() + "\n# thinking\n")
    done = shop.jobharness("ab", "shop.toml", "--before", "main", "--after", ".", "--runs", "2")
    assert "with changes that are not committed: shop.py" in done.stdout
    assert "not committed: shop.py" in kept(shop, done)["after"]["state"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_comparison_judges_what_there_is_and_is_no_pass(shop, number):
    running = shop.start("ab", "shop.toml", "--before", "main", "--runs", "50")
    for line in running.stderr:
        if line.startswith("pair 2 "):
            break
    running.send_signal(number)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, out + err
    assert out.startswith("Interrupted. ")
    assert "! Interrupted after 1 pairs." in out
    assert kept(shop, None)["interrupted"] is True
    assert leftovers(str(shop.folder)) == []
    assert len(shop.git("worktree", "list").splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--before", "nowhere"), "git knows no 'nowhere'"),
        (("--before", "main", "--runs", "1"), "--runs 1: must be auto, or a number of pairs, at least 2"),
        (("--before", "main", "--fail", "latency.p96:10%"), "there is no metric called 'latency.p96'. Did you mean"),
        (("--before", "main", "--fail", "latency.p95"), "is no gate; write a metric and how much worse it may be"),
        (("--before", "main", "--runs", "5", "--fail", "latency.p95:10%"), "cannot be judged by 5 pairs"),
        (("--before", "queue.wrokers=2"), "wrokers"),
        (("--before", "main", "--budget", "10"), "--budget"),
    ],
)
def test_bad_input_is_refused_before_anything_is_run(shop, words, said):
    done = shop.jobharness("ab", "shop.toml", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(shop.folder.glob("reports/*"))


def test_ref_that_does_not_install_shows_the_last_lines_of_pip(shop):
    shop.write("requirements.txt", "jobharness-no-such-package==1.0\n")
    shop.commit("requirements")
    done = shop.jobharness("ab", "shop.toml", "--before", "HEAD~1", "--after", "main", "--runs", "2")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "no environment could be made with jobharness-no-such-package==1.0. The last lines of pip:" in done.stderr
    assert "No matching distribution found" in done.stderr


def test_library_versions_get_environments_of_their_own_and_differ_by_nothing_else(shop):
    words = ("--before", "markupsafe==2.1.5", "--after", "markupsafe==3.0.2", "--runs", "2")
    done = shop.jobharness("ab", "shop.toml", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^package\.MarkupSafe +2\.1\.5 +3\.0\.2$", done.stdout, re.MULTILINE), done.stdout
    assert "things differ" not in done.stdout
