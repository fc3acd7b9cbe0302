"""What keeps weights from their architecture, told layer by layer."""

from __future__ import annotations

from packager.errors import ModelLoadError
from packager.loading.matching import Layer, Matching

_HINT = "packager map FILE --architecture … writes a mapping to complete: --mapping FILE"


def unmatched_problems(matching: Matching) -> list[str]:
    """Name the layers of either side that nothing of the other was found for."""
    return [_missing(layer, matching) for layer in matching.missing] + [
        f"the file's {_told(layer)} has no place in the architecture" for layer in matching.left_over
    ]


def _missing(layer: Layer, matching: Matching) -> str:
    alike = [other.name for other in matching.left_over if other.shapes == layer.shapes]
    if len(alike) > 1:
        return f"{_told(layer)} is ambiguous: {', '.join(map(repr, alike[:6]))} of the file would fit"
    return f"{_told(layer)} has no weights in the file"


def _told(layer: Layer) -> str:
    shapes = ", ".join("x".join(map(str, shape)) or "scalar" for shape in layer.shapes)
    return f"layer {layer.name!r} ({shapes})"


def raise_problems(problems: list[str]) -> None:
    """Raise ModelLoadError where there are any: with the first one as its message, all in its details."""
    if not problems:
        return
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise ModelLoadError(
        f"the weights do not fit the architecture: {problems[0]}{more}",
        hint=_HINT,
        details="\n".join(problems),
    )
