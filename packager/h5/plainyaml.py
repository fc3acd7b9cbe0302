"""YAML of plain values, and of the tuples that Keras wrote."""

from __future__ import annotations

from typing import Any

import yaml


def read_yaml(text: str) -> Any:
    """Return what ``text`` holds. Raises ValueError where it cannot be read, or holds more than values."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Refuses aliases, which can grow without end."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent) and len(self.anchors) > 1000:
            raise yaml.YAMLError("too many aliases")
        return super().compose_node(parent, index)


_Loader.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node, deep=True)
)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)  # as JSON has it
for _other in ("binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_other}", yaml.SafeLoader.construct_undefined)
