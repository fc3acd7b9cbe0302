"""Values and errors as what JSON can hold."""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from pathlib import Path
from typing import Any

from packager.errors import PackagerError
from packager.values.images import ImageReference


def to_json(value: Any) -> Any:
    """Turn a value or error into what ``json.dumps`` takes: fields and properties, paths as text."""
    if isinstance(value, ImageReference):
        return str(value)
    if isinstance(value, PackagerError):
        return {
            "class": type(value).__name__,
            "exit_code": value.exit_code,
            "message": value.message,
            "hint": value.hint,
            "details": value.details,
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        properties = [name for name, member in vars(type(value)).items() if isinstance(member, property)]
        names = [*(field.name for field in dataclasses.fields(value)), *properties]
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # "nan", "inf": JSON has no such numbers
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value
