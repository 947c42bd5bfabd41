"""The settings of `rq worker -c`: error reports as Sentry's documentation switches them on. RQ 3 knows no --sentry-dsn any more."""

import sentry_sdk

sentry_sdk.init()
