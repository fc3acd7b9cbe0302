"""The steps between what a client sends and what the model was trained on, as values.

The first field of a step is the key that names it in a declaration; the other fields are its options.
Each step tells the shape and dtype that it takes, given those that it has to give.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, TypeAlias

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

    EXAMPLE: ClassVar[str]
    """How it is written."""

    @classmethod
    def key(cls) -> str:
        """Return the key that names it."""
        return fields(cls)[0].name

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Return the shape and dtype that it turns into ``shape`` and ``dtype``.

        Raises ValueError where it cannot give these.
        """
        if dtype == "string":
            raise ValueError(f"{self.key()} gives numbers, and text is wanted")
        return shape, dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescale(Step):
    """``x * rescale + offset``, as the Rescaling layer does it."""

    EXAMPLE = "{ rescale = 0.00392156862745098, offset = 0.0 }"

    rescale: float
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardize(Step):
    """``(x - mean) / std``, along the last dimension where these are lists."""

    EXAMPLE = '{ mean = [0.5, 0.4], std = { dataset = "scaler/std" } }'

    mean: Numbers
    std: Numbers = 1.0

    def __post_init__(self) -> None:
        deviations = self.std if isinstance(self.std, tuple) else (self.std,)
        if 0 in deviations:
            raise ValueError("a std of 0 divides by nothing")
        if len(self._lengths()) > 1:
            raise ValueError("mean and std differ in length")

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take as many values as there are statistics."""
        Step.takes(self, shape, dtype)
        for length in self._lengths():
            _check_last("mean and std", length, shape)
        return shape, dtype

    def _lengths(self) -> set[int]:
        return {len(value) for value in (self.mean, self.std) if isinstance(value, tuple)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize(Step):
    """Images to (height, width); ``aspect`` says what happens to those of another form."""

    EXAMPLE = '{ resize = [224, 224], method = "bilinear", aspect = "crop" }'

    resize: tuple[int, int]
    method: str = "bilinear"
    aspect: str = "stretch"
    antialias: bool = False

    def __post_init__(self) -> None:
        if len(self.resize) != 2 or min(self.resize) < 1:
            raise ValueError("resize is [height, width], both 1 or more")
        _check_choice("method", self.method, RESIZE_METHODS)
        _check_choice("aspect", self.aspect, ASPECTS)

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take images of any size."""
        if len(shape) != 4:
            raise ValueError("resize is for images: batch, height, width, channels")
        if any(size not in (None, made) for size, made in zip(shape[1:3], self.resize, strict=True)):
            raise ValueError(f"resize gives {list(self.resize)}, and {list(shape[1:3])} is wanted")
        Step.takes(self, shape, dtype)
        return (shape[0], None, None, shape[3]), dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourOrder(Step):
    """The order of the colours that the model was trained on; clients send RGB."""

    EXAMPLE = '{ colour_order = "bgr" }'

    colour_order: str

    def __post_init__(self) -> None:
        _check_choice("colour_order", self.colour_order, ("rgb", "bgr"))

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take three colours."""
        _check_last("colour_order", 3, shape)
        return Step.takes(self, shape, dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationMode(Step):
    """What ``keras.applications`` calls preprocess_input, on RGB from 0 to 255."""

    EXAMPLE = '{ keras_applications = "caffe" }'

    keras_applications: str

    def __post_init__(self) -> None:
        _check_choice("keras_applications", self.keras_applications, APPLICATION_MODES)

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take three colours, but for ``tf``, which treats all values alike."""
        if self.keras_applications != "tf":
            _check_last(f"keras_applications {self.keras_applications!r}", 3, shape)
        return Step.takes(self, shape, dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHot(Step):
    """Whole numbers below ``one_hot`` to vectors of that length."""

    EXAMPLE = "{ one_hot = 10 }"

    one_hot: int

    def __post_init__(self) -> None:
        if self.one_hot < 1:
            raise ValueError("one_hot is 1 or more")

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take whole numbers, without the last dimension."""
        Step.takes(self, shape, dtype)
        _check_last("one_hot", self.one_hot, shape)
        return shape[:-1], "int64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Step):
    """Sequences to the length ``pad``: short ones filled with ``value``, long ones cut, both at ``side``."""

    EXAMPLE = '{ pad = 64, value = 0, side = "end" }'

    pad: int
    value: float = 0
    side: str = "end"

    def __post_init__(self) -> None:
        if self.pad < 1:
            raise ValueError("pad is 1 or more")
        _check_choice("side", self.side, ("end", "start"))

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take sequences of any length."""
        if dtype == "string":
            raise ValueError("pad is for numbers: it comes after the vocabulary")
        if len(shape) < 2 or shape[1] not in (None, self.pad):
            raise ValueError(f"pad gives length {self.pad}, and {list(shape[1:])} is wanted")
        return (shape[0], None, *shape[2:]), dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary(Step):
    """Words to their places in ``vocabulary``, counted from ``first``; others become ``unknown``."""

    EXAMPLE = '{ vocabulary = "words.txt", unknown = 1 }'

    vocabulary: tuple[str, ...]
    unknown: int = 1
    first: int = 0

    def __post_init__(self) -> None:
        if not self.vocabulary:
            raise ValueError("there is no word in the vocabulary")
        if min(self.unknown, self.first) < 0:
            raise ValueError("unknown and first are 0 or more")
        if len(set(self.vocabulary)) != len(self.vocabulary):
            raise ValueError("a word stands twice in the vocabulary")

    @property
    def limit(self) -> int:
        """What all the numbers that it gives lie below."""
        return max(self.first + len(self.vocabulary), self.unknown + 1)

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take words."""
        Step.takes(self, shape, dtype)
        return shape, "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Step):
    """Texts to ``split`` words each, cut at white space; missing ones are empty."""

    EXAMPLE = "{ split = 64, lower = true }"

    split: int
    lower: bool = True
    strip_punctuation: bool = True

    def __post_init__(self) -> None:
        if self.split < 1:
            raise ValueError("split is 1 or more")

    def takes(self, shape: Shape, dtype: str, /) -> tuple[Shape, str]:
        """Take one text instead of a row of words."""
        if dtype != "string" or len(shape) != 2:
            raise ValueError("split gives rows of words: a vocabulary has to follow")
        if shape[1] not in (None, self.split):
            raise ValueError(f"split gives {self.split} words, and {shape[1]} are wanted")
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


def _check_last(what: str, size: int, shape: Shape) -> None:
    last = shape[-1] if len(shape) > 1 else 1
    if last not in (None, size):
        raise ValueError(f"{what} is for {size} values, and the last dimension has {last}")


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{option} is one of {', '.join(choices)}")
