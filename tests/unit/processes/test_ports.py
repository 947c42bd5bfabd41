"""Loopback ports: free ones are free, and a taken one is refused with who holds it."""

import os
import socket

import pytest

from jobharness.errors import PortTaken
from jobharness.processes.ports import free_port, is_open, reserve


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_free_port_can_be_listened_on():
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert is_open(server.getsockname()[1])


def test_nobody_listens_on_a_free_port():
    assert not is_open(free_port())


def test_free_ports_of_two_runs_side_by_side_differ():
    assert len({free_port() for _ in range(20)}) > 10


def test_wished_port_is_given_when_it_is_free():
    port = free_port()
    assert reserve(port) == port


def test_taken_port_is_refused_with_its_holder(taken):
    with pytest.raises(PortTaken) as caught:
        reserve(taken)
    assert caught.value.port == taken
    assert f"(process {os.getpid()})" in str(caught.value) and str(taken) in str(caught.value)
