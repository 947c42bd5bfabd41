"""What a fault asks of a broker is done by the real server, and undone: full, no connection left, sessions ended, data gone."""

import socket
from contextlib import closing

import pytest
import redis

from jobharness.brokers.abilities import CanEndSessions, CanFill, CanForget, CanLimitConnections
from jobharness.catalog import broker_kind
from jobharness.errors import InvalidRequest
from jobharness.processes.process import wait_for
from tests.brokers.test_brokers import keep, kept, need

pytestmark = pytest.mark.real


@pytest.fixture
def started(make_broker, site):
    """`started(kind)`: a broker that runs."""

    def start(kind):
        need(kind)
        broker = make_broker(kind)
        broker.start(site)
        return broker

    return start


def put(broker, word="more"):
    """Store something more; raises what the server says."""
    with closing(broker.client()) as client:
        if broker.kind == "redis":
            client.set("more", word)
        elif broker.kind == "postgres":
            client.execute("CREATE TABLE IF NOT EXISTS more (word text)")
        elif broker.kind == "nats":
            client.ask(lambda stream: stream.publish("kept", word.encode()))
        else:
            from amqp import Message

            channel = client.channel()
            channel.confirm_select()
            channel.queue_declare("more", durable=True, auto_delete=False)
            channel.basic_publish_confirm(Message(word), routing_key="more", confirm_timeout=2)


REFUSALS = {
    "redis": (Exception, "used memory > 'maxmemory'"),
    "postgres": (Exception, "read-only transaction"),
    "nats": (Exception, "maximum messages exceeded"),
    "rabbitmq": (TimeoutError, None),  # Who publishes is not read any more, and is not told more than that.
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_full_broker_takes_nothing_more_until_it_is_cleared(kind, started, site):
    broker = started(kind)
    keep(broker, site.data)
    put(broker)
    assert isinstance(broker, CanFill)
    broker.fill()
    error, words = REFUSALS[kind]
    with pytest.raises(error, match=words):
        put(broker)
    assert kept(broker) == "yes"
    broker.clear()
    broker.clear()
    put(broker)


@pytest.mark.parametrize("kind", ["redis", "postgres", "rabbitmq"])
def test_broker_at_its_limit_lets_nobody_else_in(kind, started):
    broker = started(kind)
    assert isinstance(broker, CanLimitConnections)
    broker.limit_connections(0)
    assert not _lets_in(broker)
    broker.free_connections()
    broker.free_connections()
    assert wait_for(lambda: _lets_in(broker), 5)


def _lets_in(broker):
    """Whether a stranger is let in; the harness keeps connections of its own to Redis."""
    try:
        with closing(redis.Redis.from_url(broker.url) if broker.kind == "redis" else broker.client()) as client:
            return bool(client.ping()) if broker.kind == "redis" else True
    except Exception:
        return False


@pytest.mark.parametrize("kind", ["redis", "postgres", "rabbitmq"])
def test_sessions_from_a_port_are_ended_and_no_others(kind, started):
    broker = started(kind)
    assert isinstance(broker, CanEndSessions)
    with closing(_session(broker)) as one, closing(_session(broker)) as other:
        port = _local_port(one)
        assert wait_for(lambda: broker.end_sessions([port]) == 1, 10)
        assert not _answers(one) and _answers(other)


def _local_port(client):
    if isinstance(client, socket.socket):
        return client.getsockname()[1]
    if hasattr(client, "pgconn"):
        return client.execute("SELECT inet_client_port()").fetchone()[0]
    return client.transport.sock.getsockname()[1]


def _answers(client):
    try:
        if isinstance(client, socket.socket):
            client.sendall(b"PING\r\n")
            return client.recv(7) == b"+PONG\r\n"
        if hasattr(client, "pgconn"):
            client.execute("SELECT 1")
        else:
            client.channel().close()
    except Exception:
        return False
    return True


def _session(broker):
    """A connection to the broker that does not come back by itself."""
    return socket.create_connection(broker._place) if broker.kind == "redis" else broker.client()


@pytest.mark.parametrize("kind", ["redis", "rabbitmq", "nats"])
def test_broker_comes_back_empty_after_it_has_lost_its_data(kind, started, site):
    broker = started(kind)
    assert isinstance(broker, CanForget)
    keep(broker, site.data)
    broker.quit()
    assert wait_for(broker.is_gone, 20)
    broker.forget()
    broker.revive()
    assert wait_for(broker.is_back, 60)
    with pytest.raises(Exception, match=r"no message found|stream not found|NoneType|not enough values|no queue|NOT_FOUND"):
        kept(broker)


def test_postgres_cannot_come_back_empty_and_be_of_use():
    assert not issubclass(broker_kind("postgres"), CanForget)


def test_given_broker_is_changed_in_no_way(make_broker, site, started):
    ours = started("redis")
    given = make_broker("redis", url=ours.url)
    given.start(site)
    for change in (given.fill, lambda: given.limit_connections(0), given.kill, given.quit, given.forget, given.pause):
        with pytest.raises(InvalidRequest, match="was given by URL, and jobharness does not"):
            change()
    assert ours.is_ready()
