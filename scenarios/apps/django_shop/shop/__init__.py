"""A small shop on Django and django-q2."""
