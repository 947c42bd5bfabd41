"""The conformance app on the example's home-grown queue."""
