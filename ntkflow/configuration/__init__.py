"""The study a YAML file describes: its vocabulary, defaults and consistency.

Frozen pydantic models, a description with each key; `study.read_study` turns a mapping into a
`Study` or refuses it with the path of each faulty key. Nothing here touches files, and no other
room of the package imports this one: the workflow passes plain values on. What is known about a
file of data, its header, comes from `ntkflow.datasets`.
"""
