"""What the nodes of a load test and its master say to each other, as custom messages of Locust. Each names the node by `number`.

    hello    {key, host, versions, queue, token}  -> welcome {number, of, header, env} | refused {why}
    plan     {number, at}                         -> plan {at, rows}            no rows: that was the last
    beat     {number, sent_ns, exchanges}         -> beat {clock, start_ns, over}
    records  {number, name, at, payload}             a piece of a file, as `jobharness.agent.shipper` cuts it
    ended    {number}                             -> ended {}                   everything was sent, and is in its file there
    farewell {number, why}                           it cannot take part; its share is free again

The first two are said before a node becomes a Locust worker, as Locust itself hands out a locustfile: whoever is refused is none.
"""

from __future__ import annotations

__all__ = ["BEAT", "ENDED", "FAREWELL", "HELLO", "PLAN", "RECORDS", "REFUSED", "WELCOME", "node_name"]

HELLO = "jobharness.hello"
WELCOME = "jobharness.welcome"
REFUSED = "jobharness.refused"
PLAN = "jobharness.plan"
BEAT = "jobharness.beat"
RECORDS = "jobharness.records"
ENDED = "jobharness.ended"
FAREWELL = "jobharness.farewell"


def node_name(number: int) -> str:
    """What the node with this share is called everywhere."""
    return f"locust-{number}"
