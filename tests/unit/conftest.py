"""Hypothesis judges no time here: that the machine is busy with something else is no defect."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("jobharness", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For `make mutants`: whether a mutant is noticed is no matter of luck, nor of what the one before it left behind, and needs no smallest example.
settings.register_profile(
    "mutants", settings.get_profile("jobharness"), derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
# For `make check`.
settings.register_profile("quick", settings.get_profile("jobharness"), max_examples=12)
settings.load_profile("jobharness")
