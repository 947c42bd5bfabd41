"""Exploration: many short runs of one scenario, to find the worst that can happen to a job.

    transcript (what passed) -> steps (what the job's messages are) -> points (where to strike) -> trials -> outcomes -> map

Pure: `transcript`, `steps`, `points`, `outcome`, `chart`. With processes: `preparation` (what is done once), `stage` (one job,
its broker, workers and proxy), `learning`, `trial`, `crash_map`. It uses the runner's parts and is handed the kinds, as the
runner is.
"""
