"""The same scenario under load, in staging, on more than one machine.

`offsets` says how far a node's clock is from the master's, `nodes` gathers what several nodes recorded into one History. Nothing
here judges: contracts do.
"""
