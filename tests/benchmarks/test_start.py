"""What the installed plugin costs a project that does not use it."""

import resource
import subprocess
import sys
from importlib.metadata import entry_points

from tests.benchmarks.intervals import median_within

PAIRS = 100
# Whatever else is installed here is not loaded: its noise is larger than what is measured.
ALONE = [word for point in entry_points(group="pytest11") if point.name != "jobharness" for word in ("-p", f"no:{point.name}")]


def start_ms(folder, *options):
    """A whole `pytest` of one empty test file, from start to end: its processor time, which other work on the machine disturbs less."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ALONE, *options, str(folder)]
    subprocess.run(command, cwd=folder, env={"PYTHONHASHSEED": "0"}, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def test_plugin_costs_next_to_nothing_until_it_is_asked_for(figure, tmp_path):
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    without = ("-p", "no:jobharness")
    start_ms(tmp_path)
    start_ms(tmp_path, *without)
    differences, plain = [], []
    for pair in range(PAIRS):
        seen = {options: start_ms(tmp_path, *options) for options in (((), without) if pair % 2 else (without, ()))}
        differences.append(seen[()] - seen[without])
        plain.append(seen[without])
    value, within = median_within(differences)
    how = (
        f"processor time, median difference of {PAIRS} pairs in turns to `-p no:jobharness`, which takes "
        f"{median_within(plain)[0]:.0f} ms; no other plugin is loaded"
    )
    figure("start of pytest with the plugin, the flag off", value, 5.0, "ms", how, within=within)
