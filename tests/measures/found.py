"""The measures of the package, as the configuration finds them."""

from importlib import import_module

from ntkflow.configuration.measures import find_measures

FOLDERS = dict(find_measures(()))
SETTINGS = {name: import_module(f"ntkflow.measures.{name}.settings").Settings for name in FOLDERS}
CLAIMS = {name for name, settings in SETTINGS.items() if settings.paper}
BY_EVIDENCE = {name for name in CLAIMS if not (FOLDERS[name] / "figure.py").is_file()}
