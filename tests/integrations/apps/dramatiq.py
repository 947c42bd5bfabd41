"""The conformance app, with error reports as its users switch them on: SENTRY_DSN names where they go."""

import sentry_sdk
from sentry_sdk.integrations.dramatiq import DramatiqIntegration

sentry_sdk.init(integrations=[DramatiqIntegration()])  # The one of the five that is not switched on by itself.

from scenarios.apps.conformance.dramatiq import *  # noqa: E402, F403  # after the init, as Sentry's documentation has it
