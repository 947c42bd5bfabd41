"""What is found in an app's data: by a query that may only read, and by a function of the app in a process of its own."""

import json
import sqlite3
import sys

import pytest
from pydantic import ValidationError

from jobharness.agent import check
from jobharness.catalog import assemble
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.runner.folder import new_folder
from jobharness.runner.invariants import Invariants
from jobharness.runner.surroundings import Surroundings
from jobharness.scenario.model import Scenario

PLAIN = {
    "title": "a shop",
    "queue": {"adapter": "python", "app": "shop:queue", "command": ["python", "-m", "shop"]},
    "broker": {"kind": "sqlite"},
    "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": [{"task": "charge"}]},
}


def invariants(tmp_path, **invariant):
    asked = {"name": "no order is charged twice", **invariant}
    parts = assemble(Scenario.model_validate({**PLAIN, "contract": {"invariant": [asked]}}), tmp_path)
    folder = new_folder(tmp_path / "reports", "a")
    parts.broker.live_in(folder.data)
    around = Surroundings(parts, folder, {"broker.url": parts.broker.url, "run.folder": str(tmp_path)})
    return Invariants(parts, around, folder, "mark")


@pytest.fixture
def charges(tmp_path):
    with sqlite3.connect(tmp_path / "shop.sqlite3") as connection:
        connection.execute("CREATE TABLE charges (id TEXT)")
        connection.executemany("INSERT INTO charges VALUES (?)", [("a",), ("b",), ("a",)])
    return tmp_path


TWICE = "SELECT id, count(*) FROM charges GROUP BY id HAVING count(*) > 1"


@pytest.mark.parametrize("database", ["{run.folder}/shop.sqlite3", "shop.sqlite3", "sqlite:///{run.folder}/shop.sqlite3"])
def test_rows_of_the_query_are_what_is_wrong(charges, database):
    (notice,) = invariants(charges, sql=TWICE, database=database).look()
    assert notice == (Kind.INVARIANT_CHECKED, 1, "a, 2", "", "no order is charged twice", "")


def test_many_rows_are_shown_by_the_first(charges):
    (notice,) = invariants(charges, sql="SELECT 7 FROM charges, charges, charges", database="shop.sqlite3").look()
    assert (notice.value, notice.text) == (27, "7; 7; 7 and 24 more")


@pytest.mark.parametrize(
    ("sql", "database", "why"),
    [
        (TWICE, "nowhere.sqlite3", "there is no file nowhere.sqlite3"),
        ("SELECT 1 FROM orders", "shop.sqlite3", "no such table: orders"),
        ("DELETE FROM charges", "shop.sqlite3", "attempt to write a readonly database"),
    ],
)
def test_what_cannot_be_asked_says_why(charges, sql, database, why):
    (notice,) = invariants(charges, sql=sql, database=database).look()
    assert (notice.value, notice.text) == (-1, why)


@pytest.mark.parametrize("database", ["redis://127.0.0.1:1/0", "{run.flder}/shop.sqlite3", "postgresql://db.example.com/shop"])
def test_database_that_cannot_be_is_refused_before_anything_starts(tmp_path, database):
    with pytest.raises(InvalidRequest):
        invariants(tmp_path, sql="SELECT 1", database=database)


@pytest.mark.parametrize("wrong", [{}, {"sql": "SELECT 1", "check": "a:b"}, {"check": "a"}, {"check": "a:b", "database": "c"}])
def test_invariant_looks_in_one_way(wrong):
    with pytest.raises(ValidationError):
        Scenario.model_validate({**PLAIN, "contract": {"invariant": [{"name": "x", **wrong}]}})


def asserts():
    raise AssertionError("two charges")


ANSWERS = {
    "nothing": (lambda: None, []),
    "all is well": (lambda: True, []),
    "no rows": (list, []),
    "an empty text": (str, []),
    "False": (lambda: False, ["it returned False"]),
    "a sentence": (lambda: "two charges", ["two charges"]),
    "rows": (lambda: [("a", 2)], ["('a', 2)"]),
    "an assertion": (asserts, ["two charges"]),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_function_of_the_app_says_what_is_wrong(tmp_path, monkeypatch, name):
    function, wrong = ANSWERS[name]
    monkeypatch.setattr(sys.modules[__name__], "asked", function, raising=False)
    check.main(f"{__name__}:asked", str(tmp_path / "answer"))
    assert json.loads((tmp_path / "answer").read_text(encoding="utf-8")) == {"ok": True, "wrong": wrong}


def test_function_that_raises_is_no_answer(tmp_path):
    check.main(f"{__name__}:nowhere", str(tmp_path / "answer"))
    answer = json.loads((tmp_path / "answer").read_text(encoding="utf-8"))
    assert not answer["ok"] and "nowhere" in answer["traceback"]
