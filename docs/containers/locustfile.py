"""The scenario's jobs at their own moments, sent by as many Locust workers as the deployment has."""

from jobharness.staging import ArrivalShape, ScheduledUser

SCENARIO = "scenarios/staging/checkout.toml"


class Shop(ScheduledUser):
    scenario = SCENARIO


class Shape(ArrivalShape):
    scenario = SCENARIO
