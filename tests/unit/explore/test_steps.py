"""From what passed to steps, and from steps to points: hand-written transcripts."""

from collections import Counter
from dataclasses import replace

from jobharness.explore.points import points_of, telling_first, waiting_first
from jobharness.explore.steps import IdleTalk, common, steps_of
from jobharness.explore.transcript import Passing


def talk(*lines):
    """Passings from lines such as "1 -> 5 MULTI" (connection, way, number, command) with `*` for what names the job, `%` for what
    names a job of the app's own schedule, and `=7` for a piece of its own."""
    found = []
    for place, line in enumerate(lines):
        words = line.split()
        connection, way, number, command = int(words[0]), words[1], int(words[2]), words[3]
        piece = next((int(word[1:]) for word in words[4:] if word.startswith("=")), 1000 + place)
        is_reply = way == "<-"
        alike = f"reply {command}" if is_reply else " ".join([command, *(w for w in words[4:] if w[0] not in "*%=")])
        said = f"worker-1 connection {connection} {way} {alike}"
        passing = Passing(place * 1000, "worker-1", connection, is_reply, number, piece, command, alike, said, "*" in words, 10)
        found.append(replace(passing, of_tick="%" in words))
    return found


IDLE = IdleTalk(Counter({"BRPOP": 3, "PING": 1}), 3.0)
# Celery on Redis, as it was heard: the pop's reply, the note, a poll, the acknowledgement.
CELERY = talk(
    "1 -> 1 BRPOP", "1 <- 1 BRPOP *",
    "2 -> 1 MULTI =9", "2 -> 2 ZADD * =9", "2 -> 3 HSET * =9", "2 -> 4 EXEC of[ZADD,HSET] * =9", "2 <- 4 EXEC *",
    "1 -> 2 BRPOP", "3 -> 1 PING",
    "2 -> 5 MULTI", "2 -> 6 ZREM *", "2 -> 7 HDEL *", "2 -> 8 EXEC of[ZREM,HDEL] *", "2 <- 8 EXEC *",
)  # fmt: skip


def test_steps_begin_with_the_reply_that_hands_over_the_job_and_transactions_are_one():
    assert [step.label for step in steps_of(CELERY, IDLE)] == ["reply to BRPOP", "EXEC (ZADD, HSET)", "EXEC (ZREM, HDEL)"]


def test_what_an_idle_worker_says_too_is_no_step_unless_it_is_kept():
    assert "PING" not in [step.label for step in steps_of(CELERY, IDLE)]
    assert "PING" in [step.label for step in steps_of(CELERY, IDLE, keep=["ping"])]
    assert "BRPOP" in [step.label for step in steps_of(CELERY, IDLE, keep=["brpop*"])]


def test_ignored_signature_is_no_step():
    heard = [*CELERY, *talk("4 -> 1 PUBLISH")]
    assert "PUBLISH" in [step.label for step in steps_of(heard, IDLE)]
    assert "PUBLISH" not in [step.label for step in steps_of(heard, IDLE, ignore=["publish*"])]


def test_commands_of_one_write_are_one_step_struck_at_its_first_and_its_last():
    heard = talk("1 <- 1 BLMOVE *", "2 -> 1 HSET * =5", "2 -> 2 EXPIRE =5", "2 -> 3 ZADD * =5", "2 <- 3 ZADD")
    take, write = steps_of(heard, IDLE)
    assert (write.label, write.first.alike, write.last.alike) == ("HSET, EXPIRE, ZADD", "HSET", "ZADD")
    assert (take.take, write.take, write.answered) == (True, False, True)


def test_equal_messages_are_told_apart_by_their_place():
    heard = talk("1 <- 1 BLMOVE *", "2 -> 1 SET", "2 <- 1 SET", "2 -> 2 SET", "2 <- 2 SET")
    assert [step.last.nth for step in steps_of(heard, IDLE)] == [1, 1, 2]


def test_push_of_the_broker_is_a_take():
    heard = talk("1 <- 0 basic.deliver *", "1 -> 5 basic.ack *")
    take, settle = steps_of(heard, IdleTalk(Counter(), 3.0))
    assert (take.label, take.take, settle.label, settle.answered) == ("basic.deliver", True, "basic.ack", False)


def test_nothing_that_names_the_job_is_no_steps():
    assert steps_of(talk("1 -> 1 BRPOP", "1 <- 1 BRPOP"), IDLE) == []


# A tick of the app's own schedule, enqueued, taken and settled as the job is, on a connection of the job's.
TICK = talk(
    "2 -> 9 LPUSH %", "1 <- 1 BRPOP %",
    "2 -> 10 MULTI", "2 -> 11 ZADD %", "2 -> 12 EXEC of[ZADD] %", "2 <- 12 EXEC %",
    "2 -> 13 FETCH", "2 <- 13 FETCH %",
)  # fmt: skip


def test_what_is_about_a_tick_of_a_schedule_is_no_step_before_the_job_and_after_it():
    steps = steps_of(CELERY, IDLE)
    assert steps_of([*CELERY, *TICK], IDLE) == steps
    assert [step.label for step in steps_of([*TICK, *CELERY], IDLE)] == [step.label for step in steps]


def at(from_tick_s, heard):
    """The same, so far from the nearest tick."""
    return [replace(one, from_tick_s=from_tick_s) for one in heard]


# A queue whose statements do not name the job, but for the reply that hands it over.
NAMELESS = talk("1 <- 1 BRPOP *", "1 -> 2 UPDATE", "1 <- 2 UPDATE", "1 -> 3 DELETE", "1 <- 3 DELETE")


def test_what_an_idle_worker_says_for_ticks_alone_is_no_step_while_there_is_one_and_is_one_otherwise():
    idle = IdleTalk.of([*at(0.0, talk("1 -> 1 UPDATE", "1 -> 2 DELETE", "1 -> 3 DEFER")), *at(5.0, talk("1 -> 4 PING"))], 3.0)
    assert [step.label for step in steps_of(at(5.0, NAMELESS), idle)] == ["reply to BRPOP", "UPDATE", "DELETE"]
    assert [step.label for step in steps_of(at(0.01, NAMELESS), idle)] == ["reply to BRPOP"]
    assert [step.label for step in steps_of(at(5.0, talk("1 <- 1 BRPOP *", "1 -> 2 PING")), idle)] == ["reply to BRPOP"]


def test_what_a_tick_says_does_not_count_among_the_equal_messages_of_the_job():
    idle = IdleTalk.of(at(0.0, talk("1 -> 1 UPDATE", "1 -> 2 DELETE")), 3.0)
    heard = [NAMELESS[0], *at(0.0, talk("2 -> 1 UPDATE", "2 <- 1 UPDATE", "2 -> 2 DELETE", "2 <- 2 DELETE")), *NAMELESS[1:]]
    assert [(step.label, step.last.nth) for step in steps_of(heard, idle)][1:] == [("UPDATE", 1), ("DELETE", 1)]


def test_what_is_about_the_job_and_a_tick_is_a_step():
    heard = talk("1 <- 1 BLMOVE *", "2 -> 1 MULTI", "2 -> 2 LPUSH %", "2 -> 3 LREM *", "2 -> 4 EXEC of[LPUSH,LREM] *")
    assert [step.label for step in steps_of(heard, IDLE)] == ["reply to BLMOVE", "EXEC (LPUSH, LREM)"]


def test_step_of_one_run_alone_is_noise():
    first, second = steps_of(CELERY, IDLE), steps_of([*CELERY, *talk("4 -> 1 PUBLISH")], IDLE)
    kept, noise = common(first, second)
    assert [step.label for step in kept] == [step.label for step in first]
    assert [step.label for step in noise] == ["PUBLISH"]


def test_points_of_a_worker_of_one_process():
    points = points_of(steps_of(CELERY, IDLE), children=False)
    assert [point.name for point in points] == [
        "1 after tree", "1 reply lost",
        "2 before tree", "2 after tree", "2 reply lost", "2 message lost",
        "3 before tree", "3 after tree", "3 reply lost", "3 message lost",
    ]  # fmt: skip


def test_points_of_a_pool_kill_main_and_child_apart():
    names = [point.name for point in points_of(steps_of(CELERY, IDLE), children=True)]
    assert {"2 before main", "2 before child", "2 after main", "2 after child"} <= set(names)
    assert "1 after child" not in names, "no child has the job while it is being taken"


def test_message_without_a_reply_is_struck_once_it_was_passed_on():
    steps = steps_of(talk("1 <- 0 basic.deliver *", "1 -> 5 basic.ack *"), IdleTalk(Counter(), 3.0))
    points = {point.name: point for point in points_of(steps, children=False)}
    assert points["2 after tree"].act.act == "hold"
    assert points["2 after tree"].act.match["after"] is True
    assert "2 reply lost" not in points
    assert points["2 message lost"].act.reset is False


def test_most_telling_points_come_first():
    ordered = telling_first(points_of(steps_of(CELERY, IDLE), children=True))
    assert [point.victim for point in ordered] == sorted((p.victim for p in ordered), key=["tree", "", "child", "main"].index)


def test_points_that_wait_longest_come_first_where_all_are_tried():
    """A job that nobody had noted or settled yet is not back before the library's own recovery has had its time."""
    ordered = waiting_first(points_of(steps_of(CELERY, IDLE), children=True))
    assert [point.name for point in ordered[:3]] == ["1 after tree", "1 reply lost", "1 after main"]
    first = [point for point in ordered if point.waits]
    assert ordered[: len(first)] == first, "the rest is tried while they wait"
    assert {point.kind for point in ordered[len(first) :]} == {"after", "reply lost"}


def test_heartbeat_is_no_step_though_its_worker_is_called_as_the_job_is():
    """A worker's name that was said together with the job's stands for the job from then on."""
    heard = talk("1 <- 1 BRPOP *", "2 -> 1 SET *", "2 <- 1 SET *", "2 -> 2 EXPIRE worker:# # *", "2 <- 2 EXPIRE *")
    assert [step.label for step in steps_of(heard, IDLE)] == ["reply to BRPOP", "SET", "EXPIRE"]
    assert [step.label for step in steps_of(heard, IDLE, ["EXPIRE worker:# #"])] == ["reply to BRPOP", "SET"]


def test_what_only_reads_is_struck_at_by_a_lost_reply_alone():
    """A death beside it is one beside the message before or after."""
    heard = talk("1 <- 1 BLMOVE *", "1 -> 2 HGETALL *", "1 <- 2 HGETALL *", "1 -> 3 HSET *")
    points = points_of(steps_of(heard, IDLE), False)
    assert [(point.label, point.kind) for point in points if point.label != "reply to BLMOVE"] == [
        ("HGETALL", "reply lost"),
        ("HSET", "before"),
        ("HSET", "after"),
        ("HSET", "message lost"),
    ]


def test_idle_talk_in_the_same_write_is_no_part_of_a_step():
    """Whether an acknowledgement and the next poll are one write is chance, and differs between two runs."""
    alone = talk("1 <- 1 MSG *", "1 -> 2 ack *", "1 -> 3 PING")
    joined = talk("1 <- 1 MSG *", "1 -> 2 ack * =5", "1 -> 3 PING =5")
    kept, noise = common(steps_of(alone, IDLE), steps_of(joined, IDLE))
    assert ([step.label for step in kept], noise) == (["MSG", "ack"], [])


def test_statement_that_is_prepared_and_not_yet_run_changes_nothing():
    heard = talk(
        "1 <- 1 WITH *", "2 -> 1 PREPARE : UPDATE", "2 <- 1 PREPARE", "2 -> 2 PREPARE : PREPARE TRANSACTION", "2 <- 2 PREPARE"
    )
    assert [step.reads for step in steps_of(heard, IDLE)] == [False, True, False]


def test_messages_to_a_peer_are_steps_between_taking_and_settling_counted_from_the_sending():
    """Their statements do not name the job, and their transaction is one step."""
    heard = talk("9 -> 1 COMMIT", "1 <- 1 BRPOP *", "9 -> 2 BEGIN", "9 -> 3 INSERT", "9 -> 4 COMMIT", "1 -> 2 HDEL *")
    steps = steps_of([replace(one, alike=f"@shop {one.alike}") if one.connection == 9 else one for one in heard], IDLE)
    assert [(step.label, step.peer) for step in steps] == [
        ("reply to BRPOP", ""), ("shop: COMMIT (INSERT)", "shop"), ("HDEL", ""),
    ]  # fmt: skip
    before, after = (point for point in points_of(steps, False) if point.act.peer == "shop")
    assert before.act.match == {"reply": False, "nth": 2, "by": "worker-1", "alike": "COMMIT"}
    assert after.act.match == {**before.act.match, "after": True}


def written(*lines):
    """Passings of an encrypted connection from lines such as "1 -> 3 write 60": connection, way, number, command, bytes."""
    found = []
    for place, line in enumerate(lines):
        connection, way, number, command, size = line.split()
        alike = "reply write" if way == "<-" else command
        found.append(
            Passing(place, "worker-1", int(connection), way == "<-", int(number), place, command, alike, line, False, int(size))
        )
    return found


def test_writes_are_steps_by_their_count_but_for_those_of_a_size_that_idle_workers_write():
    idle = IdleTalk.of(written("1 -> 1 write 60", "1 <- 1 write 30", "2 -> 1 write 90", "2 <- 1 write 31"), 3.0)
    heard = written(
        "1 -> 2 write 60", "1 <- 2 write 900",  # The poll that was answered by the job.
        "3 -> 1 write 200", "3 -> 0 more 70", "3 <- 1 write 55",
        "2 -> 2 write 88", "2 <- 2 write 31",  # A heartbeat, in which a number has two digits less.
        "3 -> 2 write 120", "3 <- 2 write 55",
    )  # fmt: skip
    take, first, second = steps_of(heard, idle)
    assert (take.label, take.take) == ("reply to write", True)
    assert [(step.label, step.take, step.answered) for step in (first, second)] == [
        ("write 1", False, True),
        ("write 2", False, True),
    ]
    assert take.last.match() == {
        "reply": True,
        "nth": 1,
        "by": "worker-1",
        "command": "write",
        "unlike": [*range(28, 34)],
        "sent": 1,
    }
    unlike = [*range(58, 63), *range(88, 93)]
    assert second.last.match() == {"reply": False, "nth": 2, "by": "worker-1", "command": "write", "unlike": unlike, "sent": 1}
    kinds = [point.kind for point in points_of([take, first, second], children=False)]
    assert kinds == ["after", "reply lost", *["before", "after", "reply lost"] * 2]


def test_message_about_a_job_that_the_job_sent_may_be_lost_too():
    settles = next(step for step in steps_of(CELERY, IDLE) if step.names_job and not step.take)
    of_child, of_nobody = replace(settles, names_job=False, names_child=True), replace(settles, names_job=False)
    assert "message lost" in [point.kind for point in points_of([of_child], children=False)]
    assert "message lost" not in [point.kind for point in points_of([of_nobody], children=False)]


def test_of_a_chain_messages_are_found_again_among_those_about_any_job():
    heard = talk("1 <- 1 BRPOP *", "2 -> 1 ZREM *", "2 <- 1 ZREM", "1 <- 2 BRPOP *", "2 -> 2 ZREM *", "2 <- 2 ZREM")
    idle = IdleTalk(Counter(), 3.0)
    alone, chain = steps_of(heard, idle), steps_of(heard, idle, linked=True)
    assert [step.label for step in alone] == [step.label for step in chain]
    last = chain[-1].last
    assert last.match() == {"reply": False, "nth": 2, "by": "worker-1", "since": 1, "alike": "ZREM", "job": "any"}
    assert alone[-1].last.match()["job"] == 1


def test_what_a_job_of_a_chain_sends_itself_counts_among_the_messages_about_any_job():
    heard = talk("1 <- 1 BRPOP *", "2 -> 1 LPUSH", "2 -> 2 LPUSH *")
    heard[1] = replace(heard[1], names_child=True)
    assert [step.last.nth for step in steps_of(heard, IdleTalk(Counter(), 3.0), linked=True)] == [1, 1, 2]


def test_reply_to_what_another_connection_asked_before_is_a_take_too():
    heard = talk(
        "1 -> 1 BRPOP", "2 -> 1 BRPOP", "1 <- 1 BRPOP *", "1 -> 2 LPUSH *", "1 <- 2 LPUSH", "2 <- 1 BRPOP *", "2 -> 2 DEL *"
    )
    steps = steps_of(heard, IdleTalk(Counter(["BRPOP"]), 3.0), linked=True)
    assert [(step.label, step.take) for step in steps] == [
        ("reply to BRPOP", True), ("LPUSH", False), ("reply to BRPOP", True), ("DEL", False)
    ]  # fmt: skip


def test_child_cannot_die_before_what_it_says_and_does_not_wait_for():
    waits = next(step for step in steps_of(CELERY, IDLE) if step.answered and not step.take)
    kinds = [replace(waits, owner="child"), replace(waits, owner="child", answered=False), replace(waits, answered=False)]
    names = [{point.name for point in points_of([one], children=True)} for one in kinds]
    assert ["1 before child" in one for one in names] == [True, False, True]
    assert all({"1 before tree", "1 before main", "1 after child"} <= one for one in names)
