"""What happened: the events of a run as one columnar table.

`event` names the kinds of event, `frame` holds the table, `log` appends and loads it, `follow` reads it while it grows.
Nothing here knows a queue, a fault or a contract. Nor is anything imported here: a process that follows the events of a run needs
no table, and none of the libraries that make one.
"""
