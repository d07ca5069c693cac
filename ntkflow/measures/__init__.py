"""Measures, one folder each: `settings`, `measure` and, if not the default, `figure`.

The configuration finds them in the folders of `__path__`: this one, and those that the key
`measures` of the configuration names, which the variable NTKFLOW_MEASURES passes on to jobs.
"""

import os

__path__ += filter(None, os.environ.get("NTKFLOW_MEASURES", "").split(os.pathsep))
