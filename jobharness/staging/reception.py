"""Receives the nodes of a load test at Locust's master: hands out shares, answers with its clock, takes in what they record.

    node --Locust's messages--> Reception --> records/nodes/NODE/*.rec, *.texts, node.json <--follows-- run
    run  --PLAN.go, records/nodes/over--------^

It runs in the process of Locust's master, in whose turn each message is handled; see `messages` for what is said.
"""

from __future__ import annotations

import hmac
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from jobharness.clock import now_ns
from jobharness.staging.copies import Copy
from jobharness.staging.following import NODES
from jobharness.staging.many_nodes import OVER, SAID
from jobharness.staging.messages import BEAT, ENDED, FAREWELL, HELLO, PLAN, RECORDS, REFUSED, WELCOME, node_name
from jobharness.staging.nodes import NodeFile, write_node
from jobharness.staging.offsets import Exchange
from jobharness.staging.share import Share, plan_header

__all__ = ["Awaited", "Reception"]

ROWS_AT_ONCE = 1000

Answer = Callable[[str, dict[str, Any]], None]
"""Says something, with these words, to whoever asked."""


@dataclass(frozen=True)
class Awaited:
    """What is awaited: `of` nodes, with these `versions` and with the scenario's own `queue`, who know the `token`; `env`: the
    app's variables, as they are told to them."""

    of: int
    versions: Mapping[str, Any]
    queue: Mapping[str, Any]
    env: Mapping[str, str]
    token: str = ""

    def problem_of(self, said: Mapping[str, Any]) -> str:
        """Why a node that says hello is refused; "" where it is not."""
        if not hmac.compare_digest(str(said.get("token", "")).encode(), self.token.encode()):
            return "the token is not the master's; set JOBHARNESS_SHIP_TOKEN to the same on all machines"
        theirs = said.get("versions")
        for name, ours in self.versions.items():
            if not isinstance(theirs, dict) or theirs.get(name) != ours:
                other = theirs.get(name) if isinstance(theirs, dict) else None
                return f"it has {name} {other}, and the master {name} {ours}; use one version on all machines"
        for key, ours in self.queue.items():
            other = said.get("queue", {}).get(key)
            if other != ours:
                return f"queue.{key} of its scenario is {other!r}, and of the master's {ours!r}; use one scenario on all machines"
        return ""


@dataclass
class _Guest:
    """One node that has a share. `key`: what it says hello with, the same at each try."""

    key: str
    node: NodeFile
    folder: Path
    copy: Copy


class Reception:
    """Of one run. `plan`: its file; `records`: its folder of records."""

    def __init__(self, plan: Path, records: Path, awaited: Awaited) -> None:
        self._plan, self._records, self._awaited = plan, records, awaited
        self._header = plan_header(plan)
        self._guests: dict[int, _Guest] = {}
        self._refused: set[str] = set()

    def attend(self, environment: Any, **_: Any) -> None:
        """Listen to the nodes from now on. A listener of Locust's `init`."""
        runner = environment.runner
        handlers = {
            HELLO: self._greet,
            PLAN: self._hand_out,
            BEAT: self._answer,
            RECORDS: self._take,
            ENDED: self._end,
            FAREWELL: self._part,
        }

        def listener(handle: Callable[[Mapping[str, Any], Answer], None]) -> Callable[..., None]:
            def hear(environment: Any, msg: Any) -> None:
                handle(msg.data, lambda kind, words: runner.send_message(kind, words, client_id=msg.node_id))

            return hear

        for kind, handle in handlers.items():
            runner.register_message(kind, listener(handle))

    def _greet(self, said: Mapping[str, Any], answer: Answer) -> None:
        key, host = str(said["key"]), str(said.get("host", ""))
        problem = self._awaited.problem_of(said)
        number = 0 if problem else self._number_for(key)
        if not problem and not number:
            problem = f"every share is taken (--expect-workers {self._awaited.of})"
        if problem:
            if key not in self._refused:
                self._refused.add(key)
                self._say(f"refused a node on {host}: {problem}")
            answer(REFUSED, {"why": problem})
            return
        if number not in self._guests:
            folder = self._records / NODES / node_name(number)
            guest = self._guests[number] = _Guest(key, NodeFile(node_name(number), host), folder, Copy(folder))
            write_node(folder, guest.node)
            self._say(f"{guest.node.name} joined from {host} ({len(self._guests)} of {self._awaited.of})")
        words = {"number": number, "of": self._awaited.of, "header": dict(self._header), "env": dict(self._awaited.env)}
        answer(WELCOME, words)

    def _number_for(self, key: str) -> int:
        """The share of the node: its own, or the first that is free; 0 without one."""
        known = next((number for number, guest in self._guests.items() if guest.key == key), 0)
        return known or next((number for number in range(1, self._awaited.of + 1) if number not in self._guests), 0)

    def _hand_out(self, said: Mapping[str, Any], answer: Answer) -> None:
        number, at = int(said["number"]), int(said["at"])
        with self._plan.open(encoding="utf-8") as plan:
            plan.readline()
            rows = list(islice(Share(number, self._awaited.of).rows(plan), at, at + ROWS_AT_ONCE))
        answer(PLAN, {"at": at, "rows": rows})

    def _answer(self, said: Mapping[str, Any], answer: Answer) -> None:
        came_ns, guest = now_ns(), self._guests[int(said["number"])]
        for four in said.get("exchanges", ()):
            guest.node = guest.node.exchanged(Exchange(*map(int, four)))
        write_node(guest.folder, guest.node)  # Also that it was heard of.
        go = self._plan.with_name(self._plan.name + ".go")
        start_ns = int(go.read_text(encoding="ascii")) if go.exists() else None
        over = (self._records / NODES / OVER).exists()
        answer(BEAT, {"clock": [int(said["sent_ns"]), came_ns, now_ns()], "start_ns": start_ns, "over": over})

    def _take(self, said: Mapping[str, Any], answer: Answer) -> None:
        self._guests[int(said["number"])].copy.put(str(said["name"]), int(said["at"]), said["payload"])

    def _end(self, said: Mapping[str, Any], answer: Answer) -> None:
        guest = self._guests[int(said["number"])]
        guest.node = guest.node.as_ended()
        write_node(guest.folder, guest.node)
        answer(ENDED, {})

    def _part(self, said: Mapping[str, Any], answer: Answer) -> None:
        guest = self._guests.pop(int(said["number"]))
        guest.copy.close()
        shutil.rmtree(guest.folder)
        self._say(f"a node on {guest.node.host} cannot take part: {said['why']}")

    def _say(self, words: str) -> None:
        with (self._records / NODES / SAID).open("a", encoding="utf-8") as said:
            said.write(json.dumps(words) + "\n")
