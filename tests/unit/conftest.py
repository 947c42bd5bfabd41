"""Hypothesis judges no time here: that the machine is busy with something else is no defect."""

from hypothesis import HealthCheck, settings

settings.register_profile("jobharness", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("jobharness")
