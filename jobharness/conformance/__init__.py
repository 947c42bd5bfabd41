"""The kit that tells the author of a queue adapter, ours or a third party's, whether the adapter is sound.

    from jobharness.conformance import CHECKS, Job, Subject, observe

    SUBJECT = Subject(
        "celery on redis",
        queue={"adapter": "celery", "app": "shop.conformance:app", "env": {"BROKER_URL": "{broker.url}"}},
        broker={"kind": "redis"},
        jobs={"succeed": Job("shop.conformance.succeed"), "delayed": Job("shop.conformance.delayed", {"countdown": 1.0}), ...},
    )

    @pytest.fixture(scope="module")
    def evidence(tmp_path_factory):
        return observe(SUBJECT, project=Path.cwd(), reports=tmp_path_factory.mktemp("conformance"))

    @pytest.mark.parametrize("check", CHECKS)
    def test_adapter(check, evidence):
        assert CHECKS[check](evidence) == []

`observe` starts the real broker, the real workers (two) and producers once, for well under a minute, and returns what was seen;
every check is a pure function of that, and answers with its complaints, one sentence each.

What the author writes is a small app on the library, with one task per outcome. Each takes one argument, a number, and

- `succeed`    returns at once;
- `fail`       raises ValueError; it is never retried;
- `retry`      raises ValueError at its first attempt and returns at its second, which the library starts after at most 2 s, or
               the subject's `retries_within_s` (ATTEMPTS_FOLDER in the environment is a folder for counting attempts, where the
               library does not tell them);
- `give_up`    raises ValueError at every attempt, and is retried once;
- `time_out`   runs for 30 s in short sleeps, with a time limit of the library's of 1 s; it is never retried;
- `delayed`    returns at once, and is sent with `options` that make the library run it 1 s later.

An outcome that the library cannot have is named in `Subject.missing` with the reason, and its events are left out of the
adapter's `reports`; what only some versions cannot have or report is said by the agent's `inspect`, in its answer's `missing`
(by outcome, or by event). So it is declared and not guessed, and the kit checks the declaration: each event of a job's life is
either among the adapter's `reports` or said to be missing. `Subject.missing` may also name
"standing": jobs sent while no worker runs do not wait, but are dropped; and `inspect` may name "stop": workers of this version
need not end on SIGTERM.

The apps of the libraries that come with jobharness are in `scenarios/apps/conformance/`, one file a library, and their subjects
in `tests/conformance/subjects/`, where `celery.py` is the model.
"""

from jobharness.conformance.checks import CHECKS
from jobharness.conformance.evidence import Evidence
from jobharness.conformance.stage import observe
from jobharness.conformance.subject import OUTCOMES, Job, Subject

__all__ = ["CHECKS", "OUTCOMES", "Evidence", "Job", "Subject", "observe"]
