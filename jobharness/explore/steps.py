"""The steps of a job: what its worker says to the broker from taking the job until nothing is left to say.

    passings of an idle worker -> idle commands --.
    passings of one job's run  -> window ---------+-> without what is idle -> transactions and pipelines as one -> steps

Rules, in this order:

1. The window opens at the first reply that names the job, and closes when nothing but idle talk is heard.
2. What an idle worker says too is left out, unless it, or its reply, names the job. `ignore` and `keep` change that.
3. What is about jobs of the app's own schedule, and not about this one, is left out; and so is what an idle worker says only for
   them, while there is one.
4. The commands between MULTI and EXEC, or BEGIN and COMMIT, and those of one write, are one step.
5. A step that only one of two runs had is noise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from jobharness.explore.transcript import Passing
from jobharness.explore.writes import counted, is_write, sizes_of

__all__ = ["Aim", "IdleTalk", "Step", "common", "owned", "parted", "steps_of"]

OPENS = frozenset(("MULTI", "BEGIN", "START", "SAVEPOINT"))
CLOSES = frozenset(("EXEC", "DISCARD", "COMMIT", "END", "ROLLBACK"))
SESSIONS = frozenset(("Startup", "Password", "SSLRequest", "GSSENCRequest", "Terminate", "Cancel", "Sync", "Flush"))
"""Of PostgreSQL: what opens, closes or paces a session. Nothing is there to be struck."""
WRITES = ("write", "reply write")
"""The signatures of what cannot be read."""
REPLIES = frozenset(("basic.deliver", "basic.get-ok", "MSG", "HMSG"))
"""Messages by which a broker hands over a job without having been asked for it by one command."""

NEAR_S = 0.1
"""What is said for a job of a schedule may come a moment before anything is heard of that, or after."""

READS = frozenset(
    (
        "AUTH", "CLIENT", "COMMAND", "ECHO", "EXISTS", "EXPLAIN", "GET", "GETRANGE", "HEAD", "HELLO", "HEXISTS", "HGET",
        "HGETALL", "HKEYS", "HLEN", "HMGET", "HVALS", "INFO", "LINDEX", "LLEN", "LPOS", "LRANGE", "MGET", "OPTIONS", "PING",
        "PRAGMA", "SCARD", "SCRIPT", "SISMEMBER", "SMEMBERS", "STRLEN", "TIME", "TTL", "TYPE", "WATCH", "XINFO", "XLEN",
        "XPENDING", "XRANGE", "ZCARD", "ZCOUNT", "ZRANGE", "ZRANGEBYSCORE", "ZRANK", "ZREVRANGE", "ZSCORE",
    )
)  # fmt: skip
"""Commands that change nothing. A SELECT of PostgreSQL may call a function that does, so only that of SQLite is one."""


def parted(alike: str) -> tuple[str, str]:
    """The peer that a signature is of ("": the broker), and the signature itself."""
    if not alike.startswith("@"):
        return "", alike
    peer, _, rest = alike[1:].partition(" ")
    return peer, rest


@dataclass(frozen=True)
class Aim:
    """How a message is found again in another run: the `nth` with this signature since the job was first named in a reply, or,
    to a peer, since it was sent."""

    alike: str
    nth: int
    is_reply: bool = False
    names_job: bool = False
    unlike: tuple[int, ...] = ()  # Of a write: the sizes of those that do not count.
    of_any: bool = False  # Of a message that names a job: whether those count that name another job, too.

    def match(self) -> dict[str, object]:
        """The fields of a `wire.match.Match`."""
        fields: dict[str, object] = {"reply": self.is_reply, "nth": self.nth, "by": "worker-1"}
        peer, alike = parted(self.alike)
        if alike in WRITES:
            return {**fields, "command": "write", "unlike": list(self.unlike), "sent": 1}
        if not peer:
            fields["since"] = 1  # A peer's replies hardly ever name a job: there everything counts from the job's sending.
        if self.is_reply:
            fields["command"] = alike.removeprefix("reply ").lower()
        else:
            fields["alike"] = alike
        return {**fields, "job": "any" if self.of_any else 1} if self.names_job else fields


@dataclass(frozen=True)
class Step:
    """One step. `first`, `last`: its messages to strike at, the same where it is one message; a `take` is a reply.

    `words`: for people; `answered`: whether the broker replies to its last message; `names_job`: whether it is about the job;
    `names_child`: or about one that the job sent; `at_s`: since the take; `connection`: by which it went; `owner`: whose
    connection that is, "main", "child" or ""; `reads`: it changes nothing for anybody; `peer`: to whom it goes, "" is the
    broker.
    """

    label: str
    words: str
    first: Aim
    last: Aim
    take: bool
    answered: bool
    names_job: bool
    at_s: float
    connection: int
    owner: str = ""
    reads: bool = False
    peer: str = ""
    names_child: bool = False

    @property
    def alike(self) -> tuple[str, int, bool]:
        """What is the same in every run."""
        return self.last.alike, self.last.nth, self.take


@dataclass(frozen=True)
class IdleTalk:
    """What a worker says without a job: signatures of commands, how often each was heard, and in how long; `sizes`: see
    `writes`; `ticks`: what it says for jobs of the app's own schedule, which it may say at other times, too."""

    counts: Counter[str]
    lasted_s: float
    sizes: dict[bool, frozenset[int]] = field(default_factory=lambda: sizes_of(()))
    ticks: frozenset[str] = frozenset()

    @classmethod
    def of(cls, heard: Iterable[Passing], lasted_s: float) -> IdleTalk:
        """From what was heard of an idle worker."""
        kept = list(heard)
        said = [one for one in kept if not one.is_reply and not is_write(one)]
        ticks = frozenset(one.alike for one in said if not one.from_tick_s)
        return cls(Counter(one.alike for one in said if one.from_tick_s), lasted_s, sizes_of(kept), ticks)


def steps_of(
    heard: Sequence[Passing], idle: IdleTalk, ignore: Sequence[str] = (), keep: Sequence[str] = (), *, linked: bool = False
) -> list[Step]:
    """The steps of the job of one run. Empty where no reply named it. `linked`: the job is a chain, group or chord, whose
    jobs are sent by whoever, so that messages are found again by their place among those about any job."""
    heard = counted(heard, idle.sizes)
    opened = next((n for n, one in enumerate(heard) if one.is_reply and one.names_job and not parted(one.alike)[0]), None)
    if opened is None:
        return []
    window = heard[opened:]
    began_ns = window[0].time_ns
    busy = _Busy(window, idle, ignore, keep, heard[:opened], linked)
    steps: list[tuple[int, Step]] = []
    for group in busy.groups():
        steps.append((group[0].time_ns, _step(group, busy, began_ns)))
    steps += [(one.time_ns, _taking(one, busy, began_ns)) for one in busy.takes()]
    return [step for _, step in sorted(steps, key=lambda pair: pair[0])]


class _Busy:
    """The window of a job, each message with its place among those alike."""

    def __init__(
        self,
        window: Sequence[Passing],
        idle: IdleTalk,
        ignore: Sequence[str],
        keep: Sequence[str],
        before: Sequence[Passing] = (),
        linked: bool = False,
    ) -> None:
        self._window, self._idle, self._ignore, self._keep = window, idle, ignore, keep
        self._places: dict[int, Aim] = {}
        alike: Counter[tuple[str, bool]] = Counter(
            (one.alike, one.is_reply) for one in before if parted(one.alike)[0] or is_write(one)
        )  # What is counted from the sending.
        about: Counter[tuple[str, bool]] = Counter()
        for one in window:
            key = (one.alike, one.is_reply)
            alike[key] += not self._is_for_tick(one)
            names_job = one.names_job and not parted(one.alike)[0] and not is_write(one)
            about[key] += names_job or (linked and (one.names_child or one.of_tick))
            nth = about[key] if names_job else alike[key]
            unlike = sorted(idle.sizes[one.is_reply]) if is_write(one) else ()
            self._places[id(one)] = Aim(one.alike, nth, one.is_reply, names_job, tuple(unlike), linked and names_job)
        replies = [one for one in window if one.is_reply and one.number]
        self._replied = {(one.connection, one.number) for one in replies}
        self._telling = {(one.connection, one.number) for one in replies if one.names_job}
        self._telling_of_child = {(one.connection, one.number) for one in replies if one.names_child}
        self._ticking = {(one.connection, one.number) for one in replies if one.of_tick}

    def aim(self, one: Passing) -> Aim:
        return self._places[id(one)]

    def answered(self, one: Passing) -> bool:
        return (one.connection, one.number) in self._replied

    def names_job(self, one: Passing) -> bool:
        return one.names_job or (one.connection, one.number) in self._telling

    def names_child(self, one: Passing) -> bool:
        return one.names_child or (one.connection, one.number) in self._telling_of_child

    def _is_idle(self, one: Passing) -> bool:
        if _fits(one, self._keep):
            return False
        if _fits(one, self._ignore) or one.command in SESSIONS:
            return True
        return (one.alike in self._idle.counts or self._is_for_tick(one)) and not self.names_job(one)

    def _is_for_tick(self, one: Passing) -> bool:
        return one.of_tick or (one.alike in self._idle.ticks and one.from_tick_s < NEAR_S)

    def groups(self) -> list[list[Passing]]:
        """The commands that are not idle talk, those of a transaction or of one write together. An open transaction that only
        says what idle ones say, and is about no job, is idle."""
        groups: list[list[Passing]] = []
        open_at: dict[int, list[Passing]] = {}
        for one in self._window:
            if one.is_reply:
                continue
            group = open_at.get(one.connection)
            if group is None or not (_is_open(group) or group[-1].piece == one.piece):
                group = open_at[one.connection] = []
                groups.append(group)
            group.append(one)
        return [self._without_idle(group) for group in groups if not self._is_left_out(group)]

    def _without_idle(self, group: list[Passing]) -> list[Passing]:
        """Of one write, what is not idle talk: it is chance whether a poll goes out in the same write as an acknowledgement."""
        return group if group[0].command in OPENS else [one for one in group if not self._is_idle(one)]

    def _is_left_out(self, group: Sequence[Passing]) -> bool:
        return all(map(self._is_idle, group)) or self._polls(group) or self._is_of_tick(group)

    def _polls(self, group: Sequence[Passing]) -> bool:
        """Whether it asks for a job as an idle worker does, so that only its reply is about one: that is a take."""
        return all(one.alike in self._idle.counts and not one.names_job and not _fits(one, self._keep) for one in group)

    def _is_of_tick(self, group: Sequence[Passing]) -> bool:
        ticking = any(one.of_tick or (one.connection, one.number) in self._ticking for one in group)
        return ticking and not any(map(self.names_job, group))

    def takes(self) -> list[Passing]:
        """The replies that hand over the job: the first that names it, and those to commands that an idle worker gives too, or
        that were given before anybody could know of the job."""
        asked = {(one.connection, one.number): one for one in self._window if not one.is_reply}
        found: list[Passing] = []
        told: set[tuple[int, int]] = set()
        for one in self._window:
            if (
                not (one.is_reply and one.names_job)
                or parted(one.alike)[0]
                or (one.number and (one.connection, one.number) in told)
            ):
                continue
            command = asked.get((one.connection, one.number)) if one.number else None
            pushed, before = one.command in REPLIES, bool(one.number) and command is None
            if one is self._window[0] or pushed or before or (command is not None and self._polls([command])):
                told.add((one.connection, one.number))
                found.append(one)
        return found


def _fits(one: Passing, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(one.alike.lower(), pattern.lower()) for pattern in patterns)


def _is_open(group: Sequence[Passing]) -> bool:
    return group[0].command in OPENS and group[-1].command not in CLOSES


def _step(group: Sequence[Passing], busy: _Busy, began_ns: int) -> Step:
    last = group[-1]
    transaction = last.command in CLOSES
    # What comes before a transaction is committed changes nothing: to strike at its end is to strike at its beginning.
    first = last if transaction else group[0]
    inner = [one.command for one in group if one.command not in OPENS | CLOSES]
    label = f"{last.command} ({', '.join(dict.fromkeys(inner))})" if transaction and inner else _label(group)
    label = f"write {busy.aim(last).nth}" if is_write(last) else label
    peer, _ = parted(last.alike)
    return Step(
        label=f"{peer}: {label}" if peer else label,
        words="; ".join(one.words.partition(" -> ")[2] for one in group)[:400],
        first=busy.aim(first),
        last=busy.aim(last),
        take=False,
        answered=busy.answered(last),
        names_job=any(busy.names_job(one) for one in group),
        at_s=(group[0].time_ns - began_ns) / 1e9,
        connection=last.connection,
        reads=all(_reads(one) for one in group),
        peer=peer,
        names_child=any(busy.names_child(one) for one in group),
    )


def _reads(one: Passing) -> bool:
    """Whether a command changes nothing. A SELECT of PostgreSQL may call a function that does not; one of SQLite has none."""
    if one.command == "SCRIPT":
        return "EXISTS" in one.alike
    if one.command == "PREPARE":  # A statement that is read and not yet run, but for the first half of a commit in two.
        return "PREPARE TRANSACTION" not in one.alike
    return one.command in READS or (one.command == "SELECT" and one.by_agent and bool(parted(one.alike)[0]))


def _label(group: Sequence[Passing]) -> str:
    return ", ".join(dict.fromkeys(_name(one) for one in group))


def _name(one: Passing) -> str:
    """Of a request over HTTP, its path too."""
    request = one.words.partition(" -> ")[2].rpartition(" (")[0]
    return request if request.startswith(f"{one.command} /") else one.command


def _taking(one: Passing, busy: _Busy, began_ns: int) -> Step:
    aim = busy.aim(one)
    label = one.command if one.command in REPLIES else f"reply to {one.command}"
    words = one.words.partition(" <- ")[2][:400]
    return Step(label, words, aim, aim, True, False, True, (one.time_ns - began_ns) / 1e9, one.connection)


def common(first: Sequence[Step], second: Sequence[Step]) -> tuple[list[Step], list[Step]]:
    """The steps of the first run that the second had too, and those that only one of them had: noise."""
    others = Counter(step.alike for step in second)
    kept, noise = [], []
    for step in first:
        if others[step.alike]:
            others[step.alike] -= 1
            kept.append(step)
        else:
            noise.append(step)
    left = [step for step in second if others[step.alike] and step.alike not in {one.alike for one in kept}]
    return kept, [*noise, *left]


def owned(steps: Iterable[Step], owners: dict[int, str]) -> list[Step]:
    """The steps with whose connection each went by. `owners`: by connection."""
    return [replace(step, owner=owners.get(step.connection, "")) for step in steps]
