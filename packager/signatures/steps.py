"""The steps between what a client sends and what the model was trained on, as values.

The first field of a step is the key that names it in a declaration; the other fields are its options.
Each step tells the shape and dtype that it takes, given those that it has to give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from packager.values import Shape

Numbers: TypeAlias = float | tuple[float, ...]

RESIZE_METHODS = (
    "bilinear",
    "nearest",
    "bicubic",
    "area",
    "lanczos3",
    "lanczos5",
    "mitchellcubic",
    "gaussian",
)
ASPECTS = ("stretch", "pad", "crop")
APPLICATION_MODES = ("caffe", "tf", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; by itself it changes values only."""

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Return the shape and dtype that it turns into ``shape`` and ``dtype``."""
        return shape, dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescale(Step):
    """``x * rescale + offset``, as the Rescaling layer does it."""

    rescale: float
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardize(Step):
    """``(x - mean) / std``, along the last dimension where these are lists."""

    mean: Numbers
    std: Numbers = 1.0

    def __post_init__(self) -> None:
        deviations = self.std if isinstance(self.std, tuple) else (self.std,)
        if 0 in deviations:
            raise ValueError("a std of 0 divides by nothing")
        sizes = {len(value) for value in (self.mean, self.std) if isinstance(value, tuple)}
        if len(sizes) > 1:
            raise ValueError("mean and std differ in length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize(Step):
    """Images to (height, width); ``aspect`` says what happens to those of another form."""

    resize: tuple[int, int]
    method: str = "bilinear"
    aspect: str = "stretch"
    antialias: bool = False

    def __post_init__(self) -> None:
        if len(self.resize) != 2 or min(self.resize) < 1:
            raise ValueError("resize is [height, width]")
        _check_choice("method", self.method, RESIZE_METHODS)
        _check_choice("aspect", self.aspect, ASPECTS)

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take images of any size."""
        if len(shape) != 4:
            raise ValueError("resize is for images: batch, height, width, channels")
        return (shape[0], None, None, shape[3]), dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourOrder(Step):
    """The order of the colours that the model was trained on; clients send RGB."""

    colour_order: str

    def __post_init__(self) -> None:
        _check_choice("colour_order", self.colour_order, ("rgb", "bgr"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationMode(Step):
    """What ``keras.applications`` calls preprocess_input, on RGB from 0 to 255."""

    keras_applications: str

    def __post_init__(self) -> None:
        _check_choice("keras_applications", self.keras_applications, APPLICATION_MODES)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHot(Step):
    """Whole numbers below ``one_hot`` to vectors of that length."""

    one_hot: int

    def takes(self, shape: Shape, _dtype: str, /) -> tuple[Shape, str]:
        """Take whole numbers, without the last dimension."""
        return shape[:-1], "int64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Step):
    """Sequences to the length ``pad``: short ones filled with ``value``, long ones cut, both at ``side``."""

    pad: int
    value: float = 0
    side: str = "end"

    def __post_init__(self) -> None:
        _check_choice("side", self.side, ("end", "start"))

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take sequences of any length."""
        return (shape[0], None, *shape[2:]), dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary(Step):
    """Words to their places in ``vocabulary``; others become ``unknown``."""

    vocabulary: tuple[str, ...]
    unknown: int = 1

    def __post_init__(self) -> None:
        if len(set(self.vocabulary)) != len(self.vocabulary):
            raise ValueError("a word stands twice in the vocabulary")

    def takes(self, shape: Shape, _dtype: str, /) -> tuple[Shape, str]:
        """Take words."""
        return shape, "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Step):
    """Texts to ``split`` words each, cut at white space; missing ones are empty."""

    split: int
    lower: bool = True
    strip_punctuation: bool = True

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take one text instead of a row of words."""
        if dtype != "string" or len(shape) != 2:
            raise ValueError("split gives rows of words: a vocabulary has to follow")
        return shape[:1], "string"


STEPS: tuple[type[Step], ...] = (
    Rescale,
    Standardize,
    Resize,
    ColourOrder,
    ApplicationMode,
    OneHot,
    Pad,
    Vocabulary,
    Split,
)


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{option} is one of {', '.join(choices)}")
