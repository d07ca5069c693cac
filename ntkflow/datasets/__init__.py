"""Data sets: one class per kind of inputs and per kind of target.

A class holds the keys of its kind, its generator or reader, and the words of its caption. It is
found because its module is in `inputs` or `targets`; there is no list of names. Planning imports
all kinds, so a module imports what is slow to import inside the method that needs it.
"""
