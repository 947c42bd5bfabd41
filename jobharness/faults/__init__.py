"""What goes wrong, to whom, when: one fault per file.

`fault` is the seam, `trigger` decides when. A fault strikes, says what it hit, and can be undone twice. To add one:
a file, its name in the catalog, a scenario in which its hit is seen.
"""
