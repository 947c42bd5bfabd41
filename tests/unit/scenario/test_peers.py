"""A peer is declared with what its kind needs, and the app can find it; else the scenario is refused."""

import pytest
from pydantic import ValidationError

from jobharness.scenario.model import Scenario


def scenario(*peers, **env):
    return Scenario.model_validate(
        {
            "title": "t",
            "queue": {"adapter": "celery", "app": "shop:app", "env": env},
            "broker": {"kind": "redis"},
            "peer": peers,
            "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": [{"task": "shop.charge"}]},
        }
    )


def test_each_kind_is_declared_with_what_it_needs():
    peers = (
        {"name": "files", "database": "{run.folder}/shop.sqlite3"},
        {"name": "shop", "kind": "postgres"},
        {"name": "mail", "kind": "http", "url": "http://127.0.0.1:8000"},
    )
    made = scenario(*peers, DATABASE_URL="{peer.shop}", MAIL_URL="{peer.mail}/v1")
    assert [peer.kind for peer in made.peer] == ["sqlite", "postgres", "http"]


@pytest.mark.parametrize(
    ("peer", "problem"),
    [
        ({"name": "shop"}, "'sqlite' needs `database`"),
        ({"name": "shop", "kind": "postgres", "database": "shop"}, "'postgres' has no `database`"),
        ({"name": "shop", "kind": "http"}, "'http' needs `url`"),
        ({"name": "shop", "kind": "http", "url": "https://127.0.0.1"}, "begins with http://, since what is encrypted"),
        ({"name": "upstream", "kind": "postgres"}, r"the \[upstream\] alone is called so"),
        ({"name": "shop", "kind": "postgres"}, r"the app cannot find the peer 'shop'.*DATABASE_URL = \"{peer.shop}\""),
    ],
)
def test_what_cannot_be_is_refused(peer, problem):
    with pytest.raises(ValidationError, match=problem):
        scenario(peer)


def test_two_peers_of_one_name_are_refused():
    peer = {"name": "shop", "database": "a"}
    with pytest.raises(ValidationError, match="two peers are called 'shop'"):
        scenario(peer, peer)
