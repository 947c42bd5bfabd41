"""Which jobs arrive, when, with what arguments: plans as data, made beforehand from one seed. Pure."""
