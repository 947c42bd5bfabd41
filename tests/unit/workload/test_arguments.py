"""Arguments from Faker, files, strategies and distributions."""

import json
import re
import statistics
from random import Random

import polars as pl
import pytest
from faker import Faker

from jobharness.errors import ScenarioInvalid
from jobharness.workload.arguments import Arguments
from jobharness.workload.rows import endless_rows


def _filled(template, times=1, **further):
    arguments = Arguments([template], further.pop("locale", "en_US"), Random(further.pop("seed", 1)), **further)
    found = []
    for _ in range(times):
        found.append(arguments.fill(template))
        arguments.turn()
    return found


def test_the_same_seed_gives_the_same_values_in_the_locale():
    template = {"name": "{faker.name}", "n": "{faker.pyint:min_value=1,max_value=3}", "text": "Dear {faker.last_name}!"}
    assert _filled(template, 5, locale="de_DE") == _filled(template, 5, locale="de_DE")
    assert _filled(template, 5, seed=1) != _filled(template, 5, seed=2)
    assert all(isinstance(one["n"], int) for one in _filled(template, 5))


# What Faker counts from now, and what may have such a one in it.
CLOCKED = re.compile("date|time|century|decade|year|month|iso8601|^(zip|tar)$|^py(iterable|list|set|struct|tuple|dict|object)")
NEEDS_MORE = {"enum", "image", "xml"}  # An argument that has no default, Pillow, xmltodict.


@pytest.mark.parametrize("locale", ["en_US", "ja_JP"])
def test_every_provider_of_a_locale_gives_what_json_can_hold_again_with_the_same_seed(locale):
    providers = Faker(locale).factories[0].get_providers()
    names = {name for one in providers for name in dir(one) if not name.startswith("_") and callable(getattr(one, name))}
    assert len(names) > 200
    clocked = {name for name in names if CLOCKED.search(name)}
    for group in (names - NEEDS_MORE - clocked, clocked):
        template = {name: f"{{faker.{name}}}" for name in sorted(group)}
        (first,), (again,) = (_filled(template, locale=locale) for _ in range(2))
        assert json.loads(json.dumps(first)) == first
        assert group is clocked or first == again


def test_rows_of_a_file_go_round(tmp_path):
    (tmp_path / "rows.csv").write_text("order,amount\na,1\nb,2\n")
    rows = endless_rows(tmp_path / "rows.csv")
    assert _filled(["{row.order}", "{row.amount} EUR"], 3, rows=rows) == [["a", "1 EUR"], ["b", "2 EUR"], ["a", "1 EUR"]]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{faker.uid4}", "Faker has no provider 'uid4'; did you mean 'uuid4'?"),
        ("{row.amont}", "its file has no column 'amont' (known: order, amount)"),
        ("{hypothesis.intgers}", "Did you mean 'integers'?"),
        ("{pareto:low=1,alpha=-1}", "must be more than 0"),
        ("{lognormal:mean=1}", "it cannot make it"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(tmp_path, template, words):
    (tmp_path / "rows.csv").write_text("order,amount\na,1\n")
    with pytest.raises(Exception, match=r".") as refused:
        Arguments([template], "en_US", Random(1), endless_rows(tmp_path / "rows.csv"))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_empty_or_foreign_file_of_rows_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("order\n")
    (tmp_path / "rows.jsonl").write_text("[1]\n")
    (tmp_path / "rows.parquet").write_text("no")
    for name in ("rows.csv", "rows.jsonl", "rows.parquet", "rows.xls", "absent.csv"):
        with pytest.raises(ScenarioInvalid):
            next(endless_rows(tmp_path / name))


def test_strategies_give_the_same_values_again():
    template = "{hypothesis.integers:min_value=0,max_value=9}"
    first = _filled(template, 300)
    assert first == _filled(template, 300)
    assert set(first) <= set(range(10))
    assert len(set(first)) > 3


def test_distributions_have_their_shape():
    assert abs(statistics.median(_filled("{lognormal:median=2.0,sigma=1.0}", 4000)) - 2) < 0.2
    tail = _filled("{pareto:low=1,alpha=1.5}", 4000)
    assert min(tail) >= 1
    assert abs(statistics.median(tail) - 2 ** (1 / 1.5)) < 0.1
    assert max(_filled("{pareto:low=1,alpha=1.0,most=5}", 1000)) == 5
    seen = _filled("{empirical:values=1|1|1|9}", 4000)
    assert abs(seen.count(9.0) - 1000) < 150
    assert set(_filled("{fixed:value=7}", 3)) == {7}


def test_a_payload_is_as_long_as_the_distribution_says():
    assert [len(one) for one in _filled("{payload:value=70000}", 2)] == [70000, 70000]
    sizes = [len(one) for one in _filled("{payload:of=lognormal,median=1000,sigma=1}", 2000)]
    assert abs(statistics.median(sizes) - 1000) < 100
    assert max(sizes) > 5000
    with pytest.raises(ScenarioInvalid, match="there is no distribution 'normal'"):
        _filled("{payload:of=normal,value=1}")


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_rows_come_from_any_kind_of_file(tmp_path, name):
    table = pl.DataFrame({"order": ["a", "b"], "amount": [1, 2]})
    write = {".csv": table.write_csv, ".jsonl": table.write_ndjson, ".parquet": table.write_parquet}
    write[name[4:]](tmp_path / name)
    filled = _filled(["{row.order}", "{row.amount}"], 3, rows=endless_rows(tmp_path / name))
    assert [(order, int(amount)) for order, amount in filled] == [("a", 1), ("b", 2), ("a", 1)]


def test_a_row_without_the_column_of_the_others_is_refused_in_one_line(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n{"b": 2}\n')
    with pytest.raises(ScenarioInvalid, match=r"\{row.a\}: a row of its file has no such column \(it has: b\)"):
        _filled("{row.a}", 3, rows=endless_rows(tmp_path / "rows.jsonl"))


def test_braces_of_others_are_left_alone():
    assert _filled("{order} and {broker.url}") == ["{order} and {broker.url}"]
