"""One small app a library with a fixed set of tasks, for the conformance kit (see jobharness.conformance)."""
