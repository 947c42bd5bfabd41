"""The container provider against a real Docker engine of the test's own: own socket, own data, an image made here.

It needs root and `dockerd`, and no network: the images are made of this machine's own servers (see `tests.support.images`), and are
started as the official ones are.
The engine takes a while and changes the machine's network rules, so outside CI these tests are asked for with
JOBHARNESS_CONTAINERS=1.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from jobharness.errors import BrokerFailed
from jobharness.processes.process import wait_for
from tests.brokers.test_brokers import keep, kept
from tests.support.images import IMAGE, IMAGES
from tests.support.images import docker as ask_docker
from tests.support.require import missing

pytestmark = pytest.mark.real

ENGINE_WITHIN_S = 60


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The address of a Docker engine that only these tests know."""
    if os.environ.get("JOBHARNESS_REQUIRE") != "all" and "JOBHARNESS_CONTAINERS" not in os.environ:
        pytest.skip("a Docker engine is started in CI only; ask for it with JOBHARNESS_CONTAINERS=1")
    if os.geteuid() != 0:
        missing("a Docker engine of one's own needs root")
    for program in ("dockerd", "docker"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed")
    for kind, image in IMAGES.items():
        if absent := image.missing():
            missing(f"an image of {kind} cannot be made without {', '.join(absent)}")
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
        up = wait_for(lambda: engine.poll() is not None or ask_docker(address, "info").returncode == 0, ENGINE_WITHIN_S)
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
    folder = tmp_path_factory.mktemp("images")
    return {kind: image.import_into(engine, kind, folder / f"{kind}.tar") for kind, image in IMAGES.items()}


@pytest.fixture
def docker(engine, monkeypatch):
    """The engine as testcontainers sees it. Its reaper is an image that cannot be pulled here."""
    from testcontainers.core.config import testcontainers_config

    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    return lambda *words: ask_docker(engine, *words).stdout


@pytest.fixture
def image(images):
    return images["redis"]


@pytest.fixture(params=IMAGES)
def broker(request, make_broker, docker, images):
    return make_broker(request.param, provider="container", image=images[request.param])


def test_container_lives_dies_and_comes_back(broker, site, docker):
    broker.start(site)
    assert broker.provider == f"{broker.kind} {broker.version} (container {IMAGE.format(broker.kind)})"
    assert "127.0.0.1:" in docker("ps", "--format", "{{.Ports}}")
    assert "0.0.0.0" not in docker("ps", "--format", "{{.Ports}}")
    keep(broker)
    url = broker.url
    broker.kill()
    assert not broker.is_ready()
    broker.restart()
    if broker.kind != "rabbitmq":  # Its starts take long; this one is of a server that runs.
        broker.restart()
    assert broker.url == url
    broker.pause()
    assert not broker.is_ready()
    broker.resume()
    broker.resume()
    assert kept(broker) == "yes"
    broker.fill()
    broker.clear()
    broker.stop()
    broker.stop()
    assert docker("ps", "--all", "--quiet") == ""
    assert docker("volume", "ls", "--quiet") == ""


def test_paused_container_can_be_stopped(make_broker, image, site, docker):
    broker = make_broker("redis", provider="container", image=image)
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


@pytest.mark.parametrize(
    ("kind", "image"), [("redis", "redis:7"), ("rabbitmq", "rabbitmq:3"), ("postgres", "postgres:16"), ("nats", "nats:2")]
)
def test_image_is_the_official_one_where_the_scenario_names_none(kind, image, make_broker):
    assert make_broker(kind, provider="container").offer.image == image
