"""The HTTP API that jobs call: a real server in a process of its own, which keeps a ledger of every request in the history.

`server` is the harness's side, `api` what runs in the process; `certificate` is for any server of a run that is called by TLS.
"""
