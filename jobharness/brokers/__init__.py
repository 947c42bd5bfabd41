"""Where jobs wait, and how such a server is had: one file per kind of broker.

`broker` is the seam; `provide` the order of providers (a URL, an installed binary, a wheel, a container); `server` what the kinds
that are servers share, and `container` the same verbs in Docker. A kind imports its server's client late and nowhere else.
To add one: a file, its name in the catalog, an extra in pyproject for its client, and its row in tests/brokers.
"""
