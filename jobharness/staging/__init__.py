"""The same scenario under load, in staging, on more than one machine.

`offsets` says how far a node's clock is from the master's, `nodes` gathers what several nodes recorded into one History. Nothing
here judges: contracts do. Locust generates the load, and the run around it is the same as any other:
`JobUser` is for locustfiles of your own; `load` starts Locust for `jobharness load`, whose locustfile is `locustfile`. Locust is
an extra (`pip install 'jobharness[locust]'`) and patches the process that imports it (gevent), so nothing here imports it before
it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobharness.staging.shape import ArrivalShape
    from jobharness.staging.user import JobUser, ScheduledUser

__all__ = ["ArrivalShape", "JobUser", "ScheduledUser"]


def __getattr__(name: str) -> Any:
    if name == "ArrivalShape":
        from jobharness.staging.shape import ArrivalShape

        return ArrivalShape
    if name in __all__:
        from jobharness.staging import user

        return getattr(user, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
