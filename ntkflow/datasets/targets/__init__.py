"""Kinds of targets: a class with the key `kind` in a module of this folder is one."""
