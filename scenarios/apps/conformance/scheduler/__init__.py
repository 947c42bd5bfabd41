"""The conformance app on APScheduler 3."""
