"""The plan of a run: the same seed gives the same plan, and each part of it has its own stream."""

import itertools
import json
import statistics
from random import Random

import pytest

from jobharness.errors import ScenarioInvalid
from jobharness.scenario.workload import WorkloadSpec
from jobharness.workload.arguments import Arguments
from jobharness.workload.arrivals import arrivals_ns
from jobharness.workload.plan import planned_jobs, write_plan


def workload(**changes):
    plain = {
        "arrivals": {"process": "poisson", "rate": "100/s"},
        "duration": "5s",
        "job": [
            {
                "task": "charge",
                "weight": 3,
                "kwargs": {"order": "{faker.uuid4}", "amount": "{faker.pyint:min_value=1,max_value=9}"},
            },
            {"task": "mail", "weight": 1, "args": ["to {faker.email}", 7]},
        ],
    }
    return WorkloadSpec.model_validate({**plain, **changes})


def column(jobs, name):
    return [job[name] for job in jobs]


def test_same_seed_gives_the_same_plan():
    assert list(planned_jobs(workload(), 7)) == list(planned_jobs(workload(), 7))


def test_other_seed_changes_moments_mix_and_arguments():
    one, two = list(planned_jobs(workload(), 7)), list(planned_jobs(workload(), 8))
    count = min(len(one), len(two))
    for name in ("at_ns", "task", "kwargs"):
        assert column(one, name)[:count] != column(two, name)[:count]


def test_change_of_the_arrivals_leaves_mix_and_arguments():
    slow = list(planned_jobs(workload(), 7))
    fast = list(planned_jobs(workload(arrivals={"process": "constant", "rate": "300/s"}), 7))
    assert len(fast) > len(slow)
    assert [(job["task"], job["args"], job["kwargs"]) for job in fast[: len(slow)]] == [
        (job["task"], job["args"], job["kwargs"]) for job in slow
    ]


def test_change_of_the_mix_leaves_the_moments():
    only_mail = workload(job=[{"task": "mail"}])
    assert column(planned_jobs(only_mail, 7), "at_ns") == column(planned_jobs(workload(), 7), "at_ns")


def test_change_of_the_arguments_leaves_moments_and_mix():
    plain = workload(job=[{"task": "charge", "weight": 3, "kwargs": {"x": "{faker.name}"}}, {"task": "mail", "weight": 1}])
    one, two = list(planned_jobs(plain, 7)), list(planned_jobs(workload(), 7))
    assert (column(one, "at_ns"), column(one, "task")) == (column(two, "at_ns"), column(two, "task"))


def test_constant_arrivals_are_evenly_spaced_and_end_before_the_duration():
    moments = list(arrivals_ns(workload(arrivals={"process": "constant", "rate": "4/s"}).arrivals, 1.0, Random(1)))
    assert moments == [0, 250_000_000, 500_000_000, 750_000_000]


def test_poisson_arrivals_have_the_mean_and_the_spread_of_a_poisson_process():
    """Gaps of an exponential distribution: standard deviation equal to the mean (constant arrivals have none)."""
    moments = list(arrivals_ns(workload(arrivals={"process": "poisson", "rate": "1000/s"}).arrivals, 20.0, Random(3)))
    gaps = [b - a for a, b in itertools.pairwise(moments)]
    assert moments == sorted(moments) and moments[-1] < 20e9
    assert statistics.mean(gaps) == pytest.approx(1e6, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(1e6, rel=0.05)


def test_mix_follows_the_weights():
    tasks = column(planned_jobs(workload(duration="50s"), 7), "task")
    assert tasks.count("charge") / len(tasks) == pytest.approx(0.75, abs=0.03)


def test_job_of_weight_zero_is_never_sent():
    jobs = workload(job=[{"task": "a", "weight": 0}, {"task": "b"}])
    assert set(column(planned_jobs(jobs, 7), "task")) == {"b"}


def test_a_backlog_has_no_moment_to_be_late_for_and_a_closed_loop_has_its_room():
    backlog = workload(arrivals={"process": "backlog", "jobs": 3}, duration="1s")
    closed = workload(arrivals={"process": "closed", "jobs": 3, "in_flight": 2}, duration="1s")
    assert column(planned_jobs(backlog, 7), "at_once") == [True] * 3
    assert column(planned_jobs(closed, 7), "in_flight") == [2] * 3
    assert not any("at_once" in job or "in_flight" in job for job in planned_jobs(workload(), 7))


def test_job_by_post_becomes_a_request_to_the_service():
    spec = workload(job=[{"post": "/orders", "kwargs": {"amount": 5}, "job_id": "id"}])
    first = next(planned_jobs(spec, 7, "http://127.0.0.1:5000"))
    assert first["http"] == {"method": "POST", "url": "http://127.0.0.1:5000/orders", "body": {"amount": 5}, "job_id": "id"}


def test_plan_is_written_as_json_lines_with_a_header(tmp_path):
    jobs = list(planned_jobs(workload(), 7))
    count = write_plan(jobs, tmp_path / "plan.jsonl", app="shop:app", library="celery")
    header, *lines = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (header["app"], header["library"]) == ("shop:app", "celery")
    assert lines == jobs and count == len(jobs)


def arguments(template, seed=1):
    return Arguments([template], "en_US", Random(seed)).fill(template)


def test_whole_placeholder_keeps_its_type_and_one_within_text_is_written_out():
    filled = arguments({"n": "{faker.pyint}", "s": "no. {faker.pyint} of {faker.pyint}", "deep": [{"b": "{faker.pybool}"}]})
    assert isinstance(filled["n"], int) and isinstance(filled["deep"][0]["b"], bool)
    assert "{" not in filled["s"] and filled["s"].startswith("no. ")


def test_parameters_reach_faker_with_their_types():
    template = "{faker.pyint:min_value=5, max_value=5}"
    assert arguments(template) == 5
    assert arguments("{faker.file_name:category=image,extension=png}").endswith(".png")


@pytest.mark.parametrize("template", [1, 1.5, None, True, "plain", "{not.faker}", "{broker.url}", "{}", "{faker}"])
def test_what_is_no_placeholder_stays_as_it_is(template):
    assert arguments(template) == template


def test_every_value_can_be_written_as_json():
    names = ["date_object", "pydecimal", "date_time", "time_object", "pyset", "profile", "binary:length=4", "uuid4"]
    for name in names:
        json.dumps(arguments("{faker." + name + "}"))


def test_unknown_provider_is_refused_before_anything_starts_with_the_nearest_name():
    with pytest.raises(ScenarioInvalid, match="no provider 'uuid44'; did you mean 'uuid4'"):
        Arguments([{"a": ["{faker.uuid44}"]}], "en_US", Random(1))


def test_unknown_locale_is_refused():
    with pytest.raises(ScenarioInvalid, match="no locale 'xx_XX'"):
        Arguments([], "xx_XX", Random(1))


@pytest.mark.parametrize(
    "template", ["{faker.pyint:minimum=1}", "{faker.pyint:min_value=9,max_value=1}", "{faker.seed}", "{faker.add_provider}"]
)
def test_provider_that_cannot_be_called_so_is_refused_with_its_own_words(template):
    with pytest.raises(ScenarioInvalid, match="faker"):
        arguments(template)
