"""``.keras`` archives, unpacked for as long as the model is rebuilt and written."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from packager.archive import unpack
from packager.values import Inspection


def unpacked(inspection: Inspection, config: Mapping[str, Any]) -> tuple[Inspection, dict[str, Path]]:
    """Return ``inspection`` of the weights that were in the archive, and vocabularies by layer.

    They are unpacked among the temporary files of this process, which are cleared away when it has ended:
    large weights are read from there as the SavedModel is written.
    """
    archive = unpack(inspection.path, Path(tempfile.mkdtemp(prefix="keras-")))
    names: Mapping[str, str] = {}
    if inspection.keras_generation == 2:
        from packager.loading.keras2_places import layers_by_group

        names = dict(layers_by_group(config))
    with h5py.File(archive.weights, "r") as file:
        vocabularies = {
            names.get(group) or _layer(file, group): path for group, path in archive.vocabularies.items()
        }
    return replace(inspection, path=archive.weights), vocabularies


def _layer(file: h5py.File, group: str) -> str:
    """Return a layer's own name, which its group is not called by."""
    held = file.get(f"{group}/vars")
    name = held.attrs.get("name", "") if isinstance(held, h5py.Group) else ""
    return str(name) or group.rpartition("/")[2]
