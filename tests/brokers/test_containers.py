"""The container provider against a real Docker engine of the test's own: own socket, own data, an image made here.

It needs root and `dockerd`, and no network: the images are made of this machine's redis-server and nats-server, and the libraries
that they are linked to. RabbitMQ and PostgreSQL are more than one binary: what their containers are started with is in test_plans.
The engine takes a while and changes the machine's network rules, so outside CI these tests are asked for with
JOBHARNESS_CONTAINERS=1.
"""

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from jobharness.errors import BrokerFailed
from jobharness.processes.process import wait_for
from tests.support.require import missing

pytestmark = pytest.mark.real

IMAGE = "jobharness-test-{}:local"
# The program of an image; as the official images do, that of NATS is given its options alone.
SERVERS = {
    "redis": ("redis-server", ("EXPOSE 6379",)),
    "nats": ("nats-server", ("EXPOSE 4222", 'ENTRYPOINT ["nats-server"]')),
}
ENGINE_WITHIN_S = 60


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The address of a Docker engine that only these tests know."""
    if os.environ.get("JOBHARNESS_REQUIRE") != "all" and "JOBHARNESS_CONTAINERS" not in os.environ:
        pytest.skip("a Docker engine is started in CI only; ask for it with JOBHARNESS_CONTAINERS=1")
    if os.geteuid() != 0:
        missing("a Docker engine of one's own needs root")
    for program in ("dockerd", "docker", "redis-server", "nats-server"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed")
    # Short: the path of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="jhd"))
    address = f"unix://{folder}/docker.sock"
    log = (folder / "log").open("wb")
    engine = subprocess.Popen(
        ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "-H", address, "--pidfile", folder / "pid"],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        up = wait_for(lambda: engine.poll() is not None or _docker(address, "info").returncode == 0, ENGINE_WITHIN_S)
        if not up or engine.poll() is not None:
            missing("the Docker engine did not start: " + (folder / "log").read_text()[-600:])
        yield address
    finally:
        engine.terminate()
        engine.wait(60)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def images(engine, tmp_path_factory):
    """By kind of broker, an image of this machine's server and what it is linked to; nothing is pulled."""
    return {kind: _import(engine, kind, tmp_path_factory.mktemp("image") / "server.tar") for kind in SERVERS}


def _import(engine, kind, archive):
    program, changes = SERVERS[kind]
    server = Path(shutil.which(program)).resolve()
    linked = subprocess.run(["ldd", server], capture_output=True, text=True, check=False).stdout  # It fails for a static binary.
    with tarfile.open(archive, "w") as tar:
        tar.add(server, f"usr/bin/{program}")
        for path in re.findall(r"(/\S+)", linked):
            tar.add(Path(path).resolve(), path)
    words = [word for change in (*changes, "ENV PATH=/usr/bin") for word in ("-c", change)]
    done = _docker(engine, "import", *words, str(archive), IMAGE.format(kind))
    assert done.returncode == 0, done.stderr
    return IMAGE.format(kind)


def _docker(address, *words):
    return subprocess.run(["docker", "-H", address, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def docker(engine, monkeypatch):
    """The engine as testcontainers sees it. Its reaper is an image that cannot be pulled here."""
    from testcontainers.core.config import testcontainers_config

    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    return lambda *words: _docker(engine, *words).stdout


@pytest.fixture
def image(images):
    return images["redis"]


@pytest.fixture(params=SERVERS)
def broker(request, make_broker, docker, images):
    return make_broker(request.param, provider="container", image=images[request.param])


def _keep(broker):
    """Put something into it that a restart on the same data must keep."""
    with closing(broker.client()) as client:
        if broker.kind == "redis":
            client.set("kept", "yes")
        else:
            client.ask(lambda jetstream: jetstream.add_stream(name="kept", subjects=["kept"]))


def _kept(broker):
    with closing(broker.client()) as client:
        if broker.kind == "redis":
            return client.get("kept") == b"yes"
        return client.ask(lambda jetstream: jetstream.stream_info("kept")).config.subjects == ["kept"]


def test_container_lives_dies_and_comes_back(broker, site, docker):
    broker.start(site)
    assert broker.provider == f"{broker.kind} {broker.version} (container {IMAGE.format(broker.kind)})"
    assert "127.0.0.1:" in docker("ps", "--format", "{{.Ports}}")
    assert "0.0.0.0" not in docker("ps", "--format", "{{.Ports}}")
    _keep(broker)
    url = broker.url
    broker.kill()
    assert not broker.is_ready()
    broker.restart()
    broker.restart()
    assert broker.url == url
    broker.pause()
    assert not broker.is_ready()
    broker.resume()
    broker.resume()
    assert _kept(broker)
    broker.stop()
    broker.stop()
    assert docker("ps", "--all", "--quiet") == ""
    assert docker("volume", "ls", "--quiet") == ""


def test_paused_container_can_be_stopped(broker, site, docker):
    broker.start(site)
    broker.pause()
    broker.stop()
    assert docker("ps", "--all", "--quiet") == ""


def test_image_that_is_not_there_is_one_clear_line(make_broker, docker, image, site):
    broker = make_broker("redis", provider="container", image="jobharness-test-absent:local")
    with pytest.raises(BrokerFailed, match="the container of jobharness-test-absent:local could not be started"):
        broker.start(site)
    assert docker("ps", "--all", "--quiet") == ""


def test_container_that_ends_at_its_start_shows_its_last_lines(make_broker, docker, image, site, monkeypatch):
    broker = make_broker("redis", provider="container", image=image)
    monkeypatch.setattr("jobharness.brokers.redis.PERSISTENT", ("--no-such-option", "yes"))
    with pytest.raises(BrokerFailed, match="ended at its start") as caught:
        broker.start(site)
    assert "no-such-option" in caught.value.log_tail
    assert docker("ps", "--all", "--quiet") == ""


@pytest.mark.parametrize(("kind", "image", "port"), [("rabbitmq", "rabbitmq:3", 5672), ("postgres", "postgres:16", 5432)])
def test_plans(kind, image, port, make_broker):
    """The official images ask for these: PostgreSQL refuses to start without a password or this word, RabbitMQ's has no management."""
    broker = make_broker(kind, provider="container")
    plan = broker._container()
    assert (broker.offer.image, plan.port) == (image, port)
    if kind == "postgres":
        assert plan.env == {"POSTGRES_HOST_AUTH_METHOD": "trust"}
        assert "postgres@127.0.0.1" in broker.url
    else:
        assert plan.command[-1] == (
            "rabbitmq-plugins enable --offline rabbitmq_management && exec docker-entrypoint.sh rabbitmq-server"
        )
        assert list(plan.more_ports) == [15672]
