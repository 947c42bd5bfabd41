"""What runs inside a worker, producer, service or scheduler process of the app under test.

An island: standard library only, Python 3.8 or newer, relative imports only. The app's environment
never sees the package `jobharness`; there this folder is known as `jobharness_agent` (see `path/`).

To instrument another queue library add one file to `libraries/`.
"""
