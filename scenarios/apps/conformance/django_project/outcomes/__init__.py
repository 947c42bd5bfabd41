"""The conformance app on django-q2."""
