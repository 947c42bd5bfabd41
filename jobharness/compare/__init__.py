"""Two versions, many runs: what makes them, keeps them and finds them again.

A side is written in words (`side`), made ready (`checkout`, `environment`, `ready`) and run in pairs (`pairs`, `ab`); or its
runs were made before and are found (`saved`). What the runs say is judged in `jobharness.metrics` and told in
`jobharness.report`.
"""
