"""Keys, defaults and checks of the configuration, as frozen pydantic models.

`study.read_study` turns a mapping into a `Study`, or raises an error with the path of each invalid
key. Rules receive plain values from it.
"""

from ntkflow.extras import require

require("workflow", "numpy", "pydantic", "yaml")
