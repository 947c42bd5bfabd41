"""Where jobs wait, and how such a server is had: one file per kind of broker.

`broker` is the seam, `provide` the order of providers (a URL, an installed binary, a wheel, a container). A kind
imports its server's client package late and nowhere else. To add one: a file, its name in the catalog, the conformance tests.
"""
