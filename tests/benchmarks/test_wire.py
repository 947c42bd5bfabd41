"""What the proxy costs, beside HAProxy as a plain TCP relay and beside no proxy at all, in turns on the same server and traffic; and how soon
after its trigger a fault strikes."""

import os
import secrets
import shutil
import socket
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from jobharness.clock import NS_PER_S
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.processes.ports import free_port, is_open
from jobharness.processes.process import wait_for
from jobharness.processes.site import Site
from jobharness.scenario.model import Scenario
from jobharness.wire.control import Wire
from tests.support.redis_server import redis_server
from tests.support.require import missing

ROUNDS = 5
SIZES = (16, 65536)
CLIENTS = (1, 8)
PINGS = 3000
ROOT = Path(__file__).parents[2]
HAPROXY = """global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen relay
  bind 127.0.0.1:{port}
  server redis 127.0.0.1:{server}
"""


@pytest.fixture
def ways(tmp_path):
    """Port by name of each way to the same Redis: "direct", "HAProxy", "proxy" and "proxy, framed"."""
    for program in ("haproxy", "redis-benchmark"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed")
    for name in ("data", "logs", "records"):
        (tmp_path / name).mkdir()
    site = Site(tmp_path / "data", tmp_path / "logs", tmp_path / "records", f"bench-{secrets.token_hex(4)}", dict(os.environ))
    server, relay = free_port(), free_port()
    with redis_server(tmp_path, server):
        (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(port=relay, server=server))
        haproxy = site.start("haproxy", [str(shutil.which("haproxy")), "-db", "-f", str(tmp_path / "haproxy.cfg")])
        plain = Wire(f"redis://127.0.0.1:{server}/0", None, gated=False)
        framed = Wire(f"redis://127.0.0.1:{server}/0", "resp", gated=True)
        try:
            for wire in (plain, framed):
                wire.start(site)
            assert wait_for(lambda: is_open(relay), 10)
            yield {
                "direct": server,
                "HAProxy": relay,
                "proxy": plain.listen("worker-1"),
                "proxy, framed": framed.listen("worker-1"),
            }
        finally:
            for one in (plain, framed):
                one.stop()
            haproxy.stop(grace_s=1)


def commands_per_s(port, clients, size):
    """SET and GET a second, the mean of both."""
    count = (6000 if size == SIZES[0] else 3000) * (1 if clients == 1 else 3)
    command = [
        "redis-benchmark",
        "-p",
        str(port),
        "-c",
        str(clients),
        "-n",
        str(count),
        "-d",
        str(size),
        "-t",
        "set,get",
        "--csv",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rates = [float(line.split(",")[1].strip('"')) for line in said.splitlines() if line.startswith(('"SET"', '"GET"'))]
    assert len(rates) == 2, said
    return statistics.mean(rates)


def round_trip_us(port, size):
    """The median time of a command over one connection."""
    request = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (size, b"x" * size)
    expected, took = len(b"$%d\r\n" % size) + size + 2, []
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(PINGS if size == SIZES[0] else PINGS // 4):
            began = time.perf_counter_ns()
            client.sendall(request)
            left = expected
            while left:
                left -= len(client.recv(left))
            took.append(time.perf_counter_ns() - began)
    return statistics.median(took) / 1000


def in_turns(ways, measure):
    """The median of several rounds for each way, the ways in turns."""
    seen = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, port in ways.items():
            seen[name].append(measure(port))
    return {name: statistics.median(values) for name, values in seen.items()}


def test_commands_through_the_proxy(ways, figure):
    print("\ncommands/s          " + "".join(f"{name:>16}" for name in ways))
    shares = {"proxy": {}, "proxy, framed": {}}
    for clients in CLIENTS:
        for size in SIZES:
            rates = in_turns(ways, lambda port: commands_per_s(port, clients, size))  # noqa: B023  # called before the next turn
            print(f"{clients} clients, {size:>5} B  " + "".join(f"{rate:16,.0f}" for rate in rates.values()))
            for name, found in shares.items():
                found[f"{clients} client{'s' * (clients > 1)} with {size} B"] = rates[name] / rates["HAProxy"]
    for name, found in shares.items():
        worst = min(found, key=found.__getitem__)
        listed = ", ".join(f"{one}: {share:.2f}" for one, share in found.items())
        how = f"redis-benchmark, {ROUNDS} rounds in turns; the worst is {worst}; {listed}"
        limit = 0.8 if name == "proxy" else 0.4
        figure(f"{name}: share of HAProxy's commands/s", found[worst], limit, "", how, at_least=True)


def test_delay_of_the_proxy(ways, figure):
    for size in SIZES:
        took = in_turns(ways, lambda port: round_trip_us(port, size))  # noqa: B023  # called before the next turn
        added = {name: value - took["direct"] for name, value in took.items()}
        print(f"\nround trip of {size} B, µs: " + ", ".join(f"{name} {value:.0f}" for name, value in took.items()))
        how = f"direct {took['direct']:.0f} µs, HAProxy adds {added['HAProxy']:.0f}, the proxy {added['proxy']:.0f}, framed {added['proxy, framed']:.0f}"
        figure(f"proxy: median added delay, {size} B, by HAProxy's", added["proxy"] / added["HAProxy"], 1.3, "", how)


@pytest.mark.parametrize(
    ("on", "trigger"), [("job.running", Kind.JOB_RUNNING), ("broker.step:reply BRPOP job=any", Kind.BROKER_STEP)]
)
def test_trigger_to_strike(on, trigger, figure, tmp_path):
    scenario = Scenario.model_validate(
        {
            "title": "trigger to strike",
            "queue": {
                "adapter": "celery",
                "app": "scenarios.apps.celery_shop:app",
                "pool": "solo",
                "env": {
                    "CELERY_BROKER_URL": "{broker.url}",
                    "SHOP_DATABASE": "{run.folder}/shop.sqlite3",
                    "SHOP_CARD_NETWORK_S": "0.02",
                },
            },
            "broker": {"kind": "redis"},
            "workload": {
                "arrivals": {"process": "constant", "rate": "20/s"},
                "duration": "10s",
                "job": [{"task": "scenarios.apps.celery_shop.charge", "kwargs": {"order_id": "{faker.uuid4}", "amount": 1}}],
            },
            "fault": [{"kind": "latency", "on": on, "by": "1ms", "for": "10ms", "times": "always"}],
        }
    )
    history = Harness(ROOT, tmp_path).run(scenario).history
    delays_ms, armed, since = [], True, None
    for row in history.of(trigger, Kind.FAULT_BEGIN, Kind.FAULT_END).collect().iter_rows(named=True):
        if row["kind"] == trigger and armed and since is None:
            since = row["time_ns"]
        elif row["kind"] == Kind.FAULT_BEGIN and since is not None:
            delays_ms.append((row["time_ns"] - since) / NS_PER_S * 1000)
            armed, since = False, None
        elif row["kind"] == Kind.FAULT_END:
            armed = True
    assert len(delays_ms) > 50, "too few strikes to say anything"
    delays_ms.sort()
    how = f"{len(delays_ms)} strikes of a run, from the event's record to the strike's"
    figure(f"trigger to strike, on = {on.partition(' ')[0]!r}, median", statistics.median(delays_ms), 5, "ms", how)
    figure(f"trigger to strike, on = {on.partition(' ')[0]!r}, p99", delays_ms[int(len(delays_ms) * 0.99)], 20, "ms", how)
