"""Slow, obvious twins of the contracts: plain loops over plain events, written from the definitions and not from the fast versions.

Each oracle takes `Plain` and the contract's parameters, and answers with `Answer`: which (job, row) offend, how many of the offences are mere
absence, and how many subjects were judged. `word_of` is the one rule that turns an answer into a word.
"""
