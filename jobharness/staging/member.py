"""One node of a load test, in the process of its Locust worker: says hello, takes its share, ships what it records, and ends.

    Member.join: hello, clocks, plan --> desk (imports the app) --> Locust worker --> beats, records, ended

Importing this imports Locust.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any
from uuid import uuid4

import gevent
from locust.rpc import Message, rpc

from jobharness.agent.shipper import Files
from jobharness.clock import now_ns, seconds_between
from jobharness.errors import AppFailed, ClocksUnknown, EnvironmentFailed, InvalidRequest, JobharnessError
from jobharness.staging.desk import Desk
from jobharness.staging.messages import BEAT, ENDED, FAREWELL, HELLO, PLAN, RECORDS, REFUSED, WELCOME, node_name
from jobharness.staging.offsets import Exchange, offset_of
from jobharness.staging.share import Share

__all__ = ["Greeting", "Member"]

BEAT_EVERY_S = 0.25
ANSWER_WITHIN_S = 60.0
AGAIN_S = 1.0
SILENT_S = 30.0
"""A master that answers nothing for so long is gone: no load goes on that nobody watches."""
FIRST_EXCHANGES = 5
PIECE = 1 << 18

Admit = Callable[[Mapping[str, str]], None]
"""Takes the app's variables in, or raises InvalidRequest."""


class Greeting:
    """A connection to Locust's master before this is one of its workers. Raises: InvalidRequest when refused, EnvironmentFailed
    when nobody answers."""

    def __init__(self, host: str, port: int) -> None:
        self.address, self._host, self._key = f"{host}:{port}", host, uuid4().hex
        self._client = rpc.Client(host, port, self._key)

    def hello(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the welcome says. Blocks for a minute where nobody answers."""
        return self._ask(HELLO, {"key": self._key, **said}, WELCOME, {})

    def exchange(self, number: int) -> Exchange:
        """Compare clocks."""
        answer = self._ask(BEAT, {"number": number, "sent_ns": now_ns()}, BEAT, {})
        return _exchange(answer, now_ns())

    def rows(self, number: int, at: int) -> Sequence[str]:
        """The lines of the share from one on; none after the last."""
        rows: Sequence[str] = self._ask(PLAN, {"number": number, "at": at}, PLAN, {"at": at})["rows"]
        return rows

    def addressed(self, row: str) -> str:
        """A line of the plan, for here: the run's own service is on the master's machine, and there on its loopback."""
        job = json.loads(row)
        if "http" not in job or self._host.startswith(("127.", "localhost")):
            return row
        job["http"]["url"] = job["http"]["url"].replace("//127.0.0.1:", f"//{self._host}:", 1)
        return json.dumps(job) + "\n"

    def farewell(self, number: int, why: str) -> None:
        """Give the share back."""
        self._client.send(Message(FAREWELL, {"number": number, "why": why}, self._key))

    def close(self) -> None:
        """End the connection, after what was said."""
        self._client.close(linger=2000)

    def _ask(self, kind: str, said: Mapping[str, Any], answer: str, fits: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask until there is an answer of that kind that fits: who is asked may not be there yet."""
        began_ns = now_ns()
        while seconds_between(began_ns, now_ns()) < ANSWER_WITHIN_S:
            self._client.send(Message(kind, dict(said), self._key))
            with gevent.Timeout(AGAIN_S, False):
                while True:
                    message = self._client.recv()
                    if message.type == REFUSED:
                        raise InvalidRequest(f"the master at {self.address} refused this node: {message.data['why']}")
                    if message.type == answer and fits.items() <= message.data.items():
                        data: Mapping[str, Any] = message.data
                        return data
        raise EnvironmentFailed(
            f"no master of jobharness answered at {self.address} within {ANSWER_WITHIN_S:g} s; is `jobharness load … --master "
            f"--bind {self.address} --expect-workers N` running there, and is the port reachable from here?"
        )


class Member:
    """This node, with its share. `folder`: its records and its plan, removed once all has arrived at the master."""

    def __init__(self, number: int, address: str, desk: Desk, folder: Path, exchanges: Sequence[Exchange]) -> None:
        self._number, self._address, self.desk, self._folder = number, address, desk, folder
        self._best = min(exchanges, key=lambda each: each.round_trip_ns)
        self._untold = list(exchanges)
        self._files = Files(str(folder))
        self._heard_ns = now_ns()
        self._over = self._ending = self._ended = self._lost = False

    @classmethod
    def join(cls, greeting: Greeting, said: Mapping[str, Any], folder: Path, admit: Admit) -> Member:
        """Join the load test.

        Raises: InvalidRequest, of it AppFailed where the app cannot be imported here; EnvironmentFailed. The share is free again.
        """
        welcome = greeting.hello(said)
        number, address = int(welcome["number"]), greeting.address
        try:
            exchanges = [greeting.exchange(number) for _ in range(FIRST_EXCHANGES)]
            now = now_ns()
            offset_of(node_name(number), exchanges, now, now)
            admit(welcome["env"])
            plan = folder / "plan.jsonl"
            jobs = _write_share(greeting, number, plan, welcome["header"])
            desk = Desk.of_run(plan, Share(1, 1))
        except JobharnessError as error:
            greeting.farewell(number, error.problem if isinstance(error, ClocksUnknown) else str(error))
            raise
        except Exception as error:
            why = AppFailed(welcome["header"]["app"], f"could not be imported ({type(error).__name__}: {error})")
            greeting.farewell(number, str(why))
            raise why from error
        finally:
            greeting.close()
        _say(f"joined {address} as {node_name(number)} of {welcome['of']}, with {jobs} jobs")
        return cls(number, address, desk, folder, exchanges)

    def attend(self, environment: Any, **_: Any) -> None:
        """Keep in touch with the master from now on. A listener of Locust's `init`."""
        self._environment, self._runner = environment, environment.runner
        self._runner.register_message(BEAT, self._hear)
        self._runner.register_message(ENDED, self._hear_ended)
        environment.events.quitting.add_listener(self._leave)
        # A node that cannot tell what it does does nothing.
        gevent.spawn(self._go_on).link_exception(lambda _: self._runner.quit())

    def _go_on(self) -> None:
        while not self._lost:
            self._tell(BEAT, sent_ns=now_ns(), exchanges=[astuple(each) for each in self._untold])
            self._untold = []
            self._ship()
            if seconds_between(self._heard_ns, now_ns()) > SILENT_S:
                self._lost = True
                self._runner.quit()
            gevent.sleep(BEAT_EVERY_S)

    def _ship(self) -> None:
        """Send what is new; once nothing more can come, say so."""
        if self._ending:
            return
        self._ending = self.desk.all_sent or self._over
        if self._ending:
            self.desk.recorder.close()
        for name, at, payload in self._files.news(final=self._ending):
            if payload is None:
                continue  # Nothing more comes of this file.
            for start in range(0, len(payload) or 1, PIECE):
                self._tell(RECORDS, name=name, at=at + start, payload=payload[start : start + PIECE])
        if self._ending:
            self._tell(ENDED)

    def _hear(self, environment: Any, msg: Any) -> None:
        self._heard_ns = came_ns = now_ns()
        exchange = _exchange(msg.data, came_ns)
        self._best = min(self._best, exchange, key=lambda each: each.round_trip_ns)
        self._untold.append(exchange)
        if msg.data["start_ns"] is not None and self.desk.start_ns is None:
            self.desk.start_ns = int(msg.data["start_ns"]) - self._best.offset_ns
        if msg.data["over"] and not self._over:
            gevent.spawn(self._stop_sending)

    def _stop_sending(self) -> None:
        self._runner.stop()
        self._over = True

    def _hear_ended(self, environment: Any, msg: Any) -> None:
        self._ended = True

    def _tell(self, kind: str, **words: Any) -> None:
        self._runner.send_message(kind, {"number": self._number, **words})

    def _leave(self, **_: Any) -> None:
        """How it ended: a listener of `quitting`."""
        self._over = True
        self._environment.process_exit_code = EnvironmentFailed.exit_code  # Unless what follows shows that it is whole.
        self._ship()  # Whoever ended it: this goes out before Locust's own last word.
        whole = self._ended and self.desk.all_sent
        if whole:
            self._environment.process_exit_code = 0
        if self._lost:
            _say(f"error: the master at {self._address} answered nothing for {SILENT_S:g} s, so this node stopped sending")
        elif not whole:
            _say("error: it ended before this node had sent its share")
        else:
            _say("all is sent and recorded by the master, which says what became of it")
        if self._ended:
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            _say(f"what the master may not have is in {self._folder}")


def _write_share(greeting: Greeting, number: int, plan: Path, header: Mapping[str, Any]) -> int:
    jobs = 0
    with plan.open("w", encoding="utf-8") as file:
        file.write(json.dumps(dict(header)) + "\n")
        while rows := greeting.rows(number, jobs):
            file.writelines(greeting.addressed(row) for row in rows)
            jobs += len(rows)
    return jobs


def _exchange(answer: Mapping[str, Any], came_ns: int) -> Exchange:
    sent_ns, master_received_ns, master_sent_ns = answer["clock"]
    return Exchange(sent_ns, master_received_ns, master_sent_ns, came_ns)


def _say(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()
