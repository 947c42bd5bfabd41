"""What a team's monitoring would have told: Prometheus and its alarms, Sentry, the health URL, webhooks, OpenTelemetry.

Each file is one thing outside. Those that look at a run while it goes on are watches (`jobharness.runner.watch`), chosen
by the catalog where a scenario asks for them; the others read a History or a verdict when the run is over. Their
packages are extras, imported when they are used. A new one is a file here, and a line in the catalog.
"""
