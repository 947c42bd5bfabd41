"""The command `jobharness`: reads options, calls, prints. One file per subcommand; `main` puts them together and holds every
error.

What a run is lives elsewhere: a subcommand that decides anything about a verdict is in the wrong room.
"""
