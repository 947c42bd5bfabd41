"""How well did it go? Pure functions of the History; percentiles are exact and carry the count behind them.

`measure` makes the whole set, `gate` judges limits, `before_after` compares two runs. To add a metric: a file, and
its line in `measure`.
"""
