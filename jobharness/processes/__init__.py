"""Start, signal, wait for and reap processes; knows no queue.

`process` is one process with its log, `guardian` ends everything that a run started, however the harness ends, `ports` finds free
loopback ports. No process is started anywhere else in the package.
"""
