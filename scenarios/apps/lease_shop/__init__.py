"""A small shop with a queue of its own: jobs are rows of a SQLite table, and a worker holds a job by a lease."""
