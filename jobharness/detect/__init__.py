"""Finds the queue library and the app of a project by reading its source, and writes a first scenario for it.

Nothing of the project is imported or run. `source` reads modules, `libraries` knows what an app of each library looks like,
`first` writes the files, and never over one that is there.
"""
