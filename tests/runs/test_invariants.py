"""An ordinary run looks at the app's own data when its queue has drained: by a query, and by a function of the app."""

from pathlib import Path

import pytest

from jobharness.contracts.contract import Word
from jobharness.harness import Harness
from jobharness.scenario.model import Scenario

ROOT = Path(__file__).parents[2]
INVARIANTS = [
    {
        "name": "no order is charged twice",
        "sql": "SELECT order_id, count(*) FROM charges GROUP BY order_id HAVING count(*) > 1",
        "database": "{run.folder}/shop.sqlite3",
    },
    {"name": "the same, asked by the shop", "check": "scenarios.apps.lease_shop.tasks:charged_twice"},
    {"name": "each order is shipped", "sql": "SELECT id FROM shipments", "database": "{run.folder}/shop.sqlite3"},
]


@pytest.mark.parametrize(("order_id", "word"), [("o-1", Word.BROKEN), ("{faker.uuid4}", Word.HOLDS)])
def test_order_that_is_charged_twice_breaks_the_invariant(tmp_path, order_id, word):
    scenario = Scenario.model_validate(
        {
            "title": "the lease shop's charges",
            "queue": {
                "adapter": "python",
                "app": "scenarios.apps.lease_shop.queue:queue",
                "command": ["python", "-m", "scenarios.apps.lease_shop.worker"],
                "methods": {"run": "scenarios.apps.lease_shop.tasks:perform"},
                "env": {"SHOP_QUEUE_URL": "{broker.url}", "SHOP_DATABASE": "{run.folder}/shop.sqlite3"},
                "ask": {"waiting": "SELECT count(*) FROM jobs WHERE state = 'ready'"},
            },
            "broker": {"kind": "sqlite"},
            "workload": {
                "arrivals": {"process": "backlog", "jobs": 2},
                "job": [{"task": "charge", "kwargs": {"order_id": order_id, "amount": 3}}],
            },
            "contract": {"delivery": "at-least-once", "invariant": INVARIANTS},
        }
    )
    verdict = Harness(ROOT, tmp_path).run(scenario).verdict
    assert verdict["at_least_once"].word is Word.HOLDS
    assert verdict["invariant no order is charged twice"].word is word
    assert verdict["invariant the same, asked by the shop"].word is word
    assert verdict["invariant each order is shipped"].sentence == "it could not be checked: no such table: shipments"
    assert word is Word.HOLDS or verdict["invariant no order is charged twice"].sentence == "1 found: o-1, 2"
