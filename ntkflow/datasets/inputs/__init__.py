"""Kinds of inputs: a class with the key `inputs` in a module of this folder is one."""
