"""One file of instrumentation per queue library: the side of a queue that lives in the app's processes.

Each module has

- `WATCH`: module name -> function(recorder, settings), called once that module has been imported;
- `AROUND`, where its adapter says `mishaps = True`: module name -> function(mishaps), which wraps what runs a task's code by
  `mishaps.around`, nearer to that code than what `WATCH` wraps;
- `Sender(app)`: imports the app; `send(task, args, kwargs, options) -> job id`; `not_sent`: the exceptions which prove that
  nothing was enqueued; `close()`; and where the library has chains, groups or chords, `compose(shape, links) -> (ids, send)`:
  the ids of the jobs in the order of the links, and the call that sends them by the library's own means;
- `inspect(app) -> {"version", "settings", "tasks", "missing"}`: what the live app says of itself; `missing` names the
  events that this version cannot report, with the reason.
"""
