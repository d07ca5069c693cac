"""Checks of the places of stores before a run; neither Zarr nor xarray is imported."""

from collections.abc import Iterable
from pathlib import Path

from ntkflow.stores.building import check_folder, partial_folder
from ntkflow.stores.contents import ROOT
from ntkflow.stores.integrity import is_whole
from ntkflow.stores.places import Place, StoreError, check_place, resolve_place, store_folder


def damaged_stores(places: Iterable[Place]) -> list[Path]:
    """Folders of the stores that have lost files since they were written."""
    roots = (store_folder(place) / ROOT for place in places)
    lossy = [root.parent for root in roots if root.is_file() and not is_whole(root.parent)]
    return [path for path in lossy if not foreign_stores([path])]


def foreign_stores(places: Iterable[Place]) -> list[str]:
    """Describe what is at each place where a run must not write."""
    messages = []
    for place in places:
        try:
            path = resolve_place(place)
            check_place(path, None)
            check_folder(partial_folder(path))
        except StoreError as error:
            messages.append(str(error))
    return messages
