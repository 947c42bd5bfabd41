"""How long the crash map of every pair of queue and broker takes, each point tried once; `docs/maps.md` is written with them."""

import pytest

from docs import maps
from tests.support.subjects import NEWEST


@pytest.mark.parametrize("pair", NEWEST)
def test_map_of_a_pair_takes_less_than_a_minute(figure, tmp_path, pair):
    for settings_name, scenario in maps.cases([pair]):
        row, chart = maps.put(settings_name, scenario, tmp_path / settings_name)
        assert chart is not None, row
        how = f"{len(chart.tried)} points, one map; recovery was waited for up to {chart.recovery['waited_s']:.3g} s"
        figure(f"crash map of {pair}, {settings_name}", chart.took_s, 60.0, "s", how)
