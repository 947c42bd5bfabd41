"""A broker step of each queue library by its own word (`take`, `note`, `ack`): exactly that message is struck, and the library does
with it what it does. Real workers, each in the newest environment of the conformance kit."""

import pytest

from jobharness.catalog import BROKERS, QUEUES, broker_kind, queue_kind
from jobharness.contracts.contract import Word
from jobharness.history.event import Kind
from jobharness.wire.plan import WirePlan, checked_step, translated
from tests.support.evidence import kinds_of, messages, nth_job, rows
from tests.support.require import missing
from tests.support.subjects import NEWEST

pytestmark = pytest.mark.real


@pytest.fixture
def run_on(run):
    """`run_on(subject, name)`: the result of a scenario whose app lives in the environment of a conformance subject."""

    def made(subject, name):
        case = NEWEST[subject]
        kind = broker_kind(case.subject.broker["kind"])
        if not any(provider.found for provider in kind.providers()):
            missing(f"there is no {kind.kind} server here")
        return run(name, queue__python=case.subject_there().queue["python"])

    return made


def struck(history):
    """The job that was struck, the only one."""
    (job,) = {row["job"] for row in rows(history, Kind.FAULT_HIT) if row["job"] is not None}
    return job


def runs_of_others(history, job):
    return {kinds_of(history, one).count(Kind.JOB_RUNNING) for one in range(history.jobs.height) if one != job}


def test_rq_notes_on_a_new_connection_that_a_job_is_done(run_on):
    result = run_on("rq on redis", "rq_ack_lost")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    job = nth_job(result.history, 5)
    assert struck(result.history) == job and "-> EXEC of [" in messages(result.history, Kind.FAULT_BEGIN)[0]
    life = kinds_of(result.history, job)
    # It is settled by a second try, after the first was lost, and not run again.
    assert life.index(Kind.JOB_SETTLED) > life.index(Kind.FAULT_HIT) and life.count(Kind.JOB_RUNNING) == 1


def test_dramatiq_runs_a_job_again_whose_acknowledgement_rabbitmq_never_got(run_on):
    result = run_on("dramatiq on rabbitmq", "dramatiq_ack_lost")
    assert result.verdict["at_least_once"].word is Word.HOLDS
    job = nth_job(result.history, 5)
    assert "-> basic.ack" in messages(result.history, Kind.FAULT_BEGIN)[0]
    life = kinds_of(result.history, job)
    # The library took it for settled; the broker gave it out again when the worker died.
    assert life.count(Kind.JOB_FINISHED) == 2 and life.count(Kind.JOB_SETTLED) == 2
    kill = next(
        row["time_ns"] for row in rows(result.history, Kind.FAULT_BEGIN) if row["text"] == result.history.number_of("kill#2")
    )
    again = [row["time_ns"] for row in rows(result.history, Kind.JOB_RUNNING) if row["job"] == job]
    assert again[0] < kill < again[1]


def test_procrastinate_leaves_a_job_that_was_run_in_the_state_doing(run_on):
    result = run_on("procrastinate on postgres", "procrastinate_ack_lost")
    job = nth_job(result.history, 5)
    assert struck(result.history) == job and "-> COMMIT" in messages(result.history, Kind.FAULT_BEGIN)[0]
    life = kinds_of(result.history, job)
    assert life.count(Kind.JOB_FINISHED) == 1 and Kind.JOB_SETTLED not in life
    held = {row["job"]: result.history.text(row["text"]) for row in rows(result.history, Kind.JOB_HELD)}
    assert held == {job: "in the table procrastinate_jobs, doing"}


def test_jetstream_gives_a_job_out_again_whose_acknowledgement_was_lost(run_on):
    result = run_on("taskiq on nats", "taskiq_ack_lost")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    job = nth_job(result.history, 5)
    assert struck(result.history) == job and "-> ack: PUB $JS.ACK." in messages(result.history, Kind.FAULT_BEGIN)[0]
    assert kinds_of(result.history, job).count(Kind.JOB_FINISHED) == 2
    assert runs_of_others(result.history, job) == {1}


def test_huey_loses_a_job_that_it_took_without_hearing_so(run_on):
    result = run_on("huey on sqlite", "huey_take_unanswered")
    finding = result.verdict["at_least_once"]
    job = nth_job(result.history, 5)
    assert finding.word is Word.BROKEN and finding.jobs == [job] == [struck(result.history)]
    assert "-> COMMIT" in messages(result.history, Kind.FAULT_BEGIN)[0]
    assert Kind.JOB_RECEIVED not in kinds_of(result.history, job) and runs_of_others(result.history, job) == {1}


@pytest.mark.parametrize(
    ("queue", "broker"), [(name, broker) for name in QUEUES for broker in getattr(queue_kind(name), "steps", {})]
)
def test_words_of_a_queue_are_messages_of_the_protocol(queue, broker):
    assert broker in BROKERS and broker in queue_kind(queue).brokers
    words = queue_kind(queue).steps[broker]
    assert "take" in words
    url = {"redis": "redis", "rabbitmq": "amqp", "postgres": "postgresql", "nats": "nats"}.get(broker)
    framing = WirePlan.before(f"{url}://127.0.0.1", gated=True).framing if url else "sqlite"
    for word in words:
        checked_step(translated(word, words), framing, words)
