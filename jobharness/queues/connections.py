"""What the adapters whose lease is a connection to RabbitMQ have in common."""

from __future__ import annotations

from jobharness.queues.queue import LeaseTerms, Limit

__all__ = ["amqp_terms"]

AT_ONCE_S = 3.0
SERVERS_HEARTBEAT_S = 60.0  # RabbitMQ's `heartbeat`: the shorter one of server's and client's counts.
CONSUMER_TIMEOUT_S = 1800.0  # RabbitMQ's `consumer_timeout`, since 3.8.17.


def amqp_terms(heartbeat_s: float, setting: str) -> LeaseTerms:
    """A connection that sends nothing is ended after two to three heartbeats (rabbit_heartbeat.erl), and its messages are handed
    out again at once. `heartbeat_s`: what the client asks for, 0: what the server says; `setting`: by which it does."""
    each_s = min(heartbeat_s or SERVERS_HEARTBEAT_S, SERVERS_HEARTBEAT_S)
    return LeaseTerms(
        "its connection is the lease, which ends when two heartbeats are missed",
        setting,
        2 * each_s,
        each_s + AT_ONCE_S,
        renewed_s=each_s / 2,
        unit_s=2.0,
        scales=True,
        limit=Limit("consumer_timeout (of RabbitMQ, ms)", CONSUMER_TIMEOUT_S, 0.001),
    )
