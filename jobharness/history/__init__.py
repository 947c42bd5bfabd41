"""What happened: the events of a run as one columnar table.

`event` names the kinds of event, `frame` holds the table, `log` appends and loads it, `follow` reads it while it grows.
Nothing here knows a queue, a fault or a contract.
"""

from jobharness.history.event import Dead, Kind
from jobharness.history.frame import History

__all__ = ["Dead", "History", "Kind"]
