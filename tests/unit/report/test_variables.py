"""What can differ between two runs, and what only seems to."""

from jobharness.metrics.differences import differences
from jobharness.report.variables import variables_of


def about(**changes):
    plain = {
        "run": "20261124-120000-shop-ab12",
        "scenario": {
            "title": "one",
            "seed": 1,
            "queue": {"adapter": "celery", "settings": {"acks_late": True}},
            "workload": {"duration": 1},
        },
        "versions": {"jobharness": "1", "python": "3.11", "queue": "5.4"},
        "broker": "redis 7",
        "app": {"settings": {"acks_late": False}, "python": "3.11"},
        "git": {"commit": "abc"},
        "machine": {"cores": 2},
    }
    return variables_of({**plain, **changes})


def names(before, after):
    return [one.name for one in differences(before, after)]


def test_live_setting_goes_before_what_the_scenario_asked_for():
    assert about()["setting"] == {"acks_late": False}


def test_path_within_the_folder_of_the_run_is_the_same_on_every_run():
    one = about(broker="sqlite (file /home/me/shop/reports/20261124-120000-shop-ab12/data/broker.sqlite3)")
    other = about(run="20261124-120009-shop-cd34", broker="sqlite (file reports/x/20261124-120009-shop-cd34/data/broker.sqlite3)")
    assert names(one, other) == []


def test_packages_stand_for_the_version_of_the_queue_and_for_the_interpreter():
    sides = [
        about(
            app={"settings": {}, "python": "3.11", "packages": {"celery": version, "kombu": "5.5"}},
            versions={"jobharness": "1", "python": "3.11", "queue": version},
            scenario={"title": "one", "queue": {"adapter": "celery", "python": f"/cache/{version}"}},
        )
        for version in ("5.4", "5.5")
    ]
    assert names(*sides) == ["package.celery"]


def test_words_of_a_scenario_that_change_nothing_are_no_variables():
    other = about(
        scenario={"title": "two", "owner": "me", "seed": 1, "queue": {"adapter": "celery"}, "workload": {"duration": 1}}
    )
    assert names(about(), other) == []
