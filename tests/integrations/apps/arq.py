"""The conformance app, with error reports as its users switch them on: SENTRY_DSN names where they go."""

import sentry_sdk

sentry_sdk.init()

from scenarios.apps.conformance.arq import *  # noqa: E402, F403  # after the init, as Sentry's documentation has it
