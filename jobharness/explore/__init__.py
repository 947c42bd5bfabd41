"""Exploration: many short runs of one scenario, to find the worst that can happen to a job.

    transcript (what passed) -> steps (what the job's messages are) -> points (where to strike) -> trials -> outcomes -> map

Pure: `transcript`, `steps`, `points`, `outcome`, `chart`. With processes: `preparation` (what is done once), `stage` (one job,
its broker, workers and proxy), `wings` (stages that are set beforehand), `learning`, `trial`, `crash_map`. It uses the runner's
parts and is handed the kinds, as the runner is.

    schedules (a pause, a slow run, a clock that steps) -> who owned the job, who settled it -> the smallest safe lease

The lease proof. Pure: `ownership`, `safe_lease`, `lease_proof`. With processes: `holds` and `play` (one schedule), `prover`.
"""
