"""What holds for every contract, whatever it promises."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np
import polars as pl
import pytest

from jobharness import contracts
from jobharness.catalog import CONTRACTS, DELIVERIES, QUEUES
from jobharness.contracts.contract import Contract, Word
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.queues.queue import reported_kinds
from tests.defects import CRASHLESS, PLANTS, UNPLANTED, planted
from tests.proof import base
from tests.unit.contracts.test_oracles import CASES
from tests.unit.contracts.test_promises import CASES as WRITTEN_BY_HAND

MADE_OF_OTHERS = {"observed", "faults_hit", "exactly_once"}
"""Said in words of their own, or by the two that it is made of: no oracle of their own."""

OF_OTHER_TOOLS = {"health_honest", "reported"}
"""What the app's own alarms, health and reports said: tested beside them."""


def _without(history: History, kinds: frozenset[Kind]) -> History:
    events = history.events.filter(~pl.col("kind").is_in([int(kind) for kind in kinds]))
    return History(events, history.jobs, history.processes, history.texts, history.header)


def _named(name: str) -> type:
    module, _, attribute = name.partition(":")
    found: type = getattr(importlib.import_module(f"jobharness.contracts.{module}"), attribute)
    return found


ASKED = {
    key: _named(name)
    for key, name in {
        **{f"delivery = {delivery}": name for delivery, name in DELIVERIES.items()},
        **{key: name for key, (name, _) in CONTRACTS.items()},
    }.items()
}


def test_every_contract_has_an_oracle_a_planted_violation_and_a_history_written_by_hand():
    names = {kind.name for kind in ASKED.values() if isinstance(kind.name, str)} - OF_OTHER_TOOLS
    names |= {"observed", "faults_hit", "no_phantoms", "recovery", "slots_freed"}
    assert names <= set(PLANTS)
    assert names - set(CASES) == MADE_OF_OTHERS
    by_hand = {contract.name for contract, *_ in WRITTEN_BY_HAND.values()}
    assert names - by_hand <= {"exactly_once", "throughput_recovery", "upstream_rate_limit", "no_link_lost", "once_per_delivery"}


def test_every_contract_is_planted_or_named_with_the_reason():
    kinds = {
        kind
        for module in pkgutil.iter_modules(contracts.__path__)
        for kind in vars(importlib.import_module(f"{contracts.__name__}.{module.name}")).values()
        if inspect.isclass(kind) and hasattr(kind, "check") and not inspect.isabstract(kind) and kind is not Contract
    }
    planted_ones = {type(contract) for contract, _, _ in PLANTS.values()}
    assert kinds - planted_ones == set(UNPLANTED)
    assert all(UNPLANTED.values())


@pytest.mark.parametrize("name", PLANTS)
def test_a_promise_is_one_sentence_and_says_what_it_needs(name):
    contract = PLANTS[name][0]
    assert contract.promise
    assert "\n" not in contract.promise
    assert ". " not in contract.promise
    assert contract.needs


@pytest.mark.parametrize("name", PLANTS)
def test_without_what_it_needs_no_contract_holds(name):
    contract = PLANTS[name][0]
    clean = base(name not in CRASHLESS).history
    assert contract.check(clean).word is Word.HOLDS
    finding = contract.check(_without(clean, contract.needs))
    assert finding.word is not Word.HOLDS
    assert finding.sentence


@pytest.mark.parametrize("name", PLANTS)
def test_offenders_are_rows_and_jobs_of_the_history_each_with_its_reason(name):
    contract, plant, word = PLANTS[name]
    clean = base(name not in CRASHLESS)
    seen = planted(clean, plant(clean, np.random.default_rng(2)))
    offenders = contract.check(seen).offenders
    assert offenders.columns == ["job", "row", "why"]
    assert offenders["why"].null_count() == 0
    assert (offenders["job"].drop_nulls() < seen.jobs.height).all()
    assert (offenders["row"].drop_nulls() < len(seen)).all()
    assert bool(offenders.height) is (word is Word.BROKEN)


@pytest.mark.parametrize("key", ASKED)
def test_some_queue_reports_what_a_contract_needs(key):
    kinds = [_of_queue(name) for name in QUEUES]
    assert any(ASKED[key].needs <= reported_kinds(kind) for kind in kinds)


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_that_reports_ticks_says_what_an_entry_is_called(name):
    assert hasattr(_of_queue(name), "ticks") is (Kind.SCHEDULE_TICK in reported_kinds(_of_queue(name)))


def _of_queue(name: str) -> type:
    module, _, attribute = QUEUES[name].partition(":")
    found: type = getattr(importlib.import_module(module if "." in module else f"jobharness.queues.{module}"), attribute)
    return found
