"""Which layer of a file is which layer of an architecture, told by names first, then by place and shape.

Nothing is ever matched by chance: what names, creation order and shapes leave open comes back as open.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A dataset of the file, or a variable of the model."""

    name: str
    """Path of the dataset, or name of the variable."""
    shape: Shape
    place: str = ""
    """Where in its layer it lies (``cell/vars/0``), where the layout tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer with weights, of the file or of the model."""

    name: str
    place: str
    """Where Keras 3 keeps it (``/layers/dense_1``); empty in the layout of Keras 1 and 2."""
    tensors: tuple[Tensor, ...]
    class_name: str = ""
    """Known of the model's layers."""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of its tensors, in order."""
        return tuple(tensor.shape for tensor in self.tensors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A layer of the file and the layer of the model that it belongs to."""

    stored: Layer
    built: Layer
    how: str
    """What settled it: ``name``, ``order`` or ``shape``."""
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What was settled, and what was not."""

    pairs: tuple[Pair, ...]
    missing: tuple[Layer, ...]
    """Layers of the model that the file has nothing for, or more than one candidate."""
    left_over: tuple[Layer, ...]
    """Layers of the file that nothing in the model takes."""


def match_layers(stored: Iterable[Layer], built: Iterable[Layer], *, guess: bool = False) -> Matching:
    """Match the layers of a file with those of a model, each of them at most once.

    With ``guess`` what remains is matched by shape and order as well, as pairs that are not sure.
    """
    search = _Search(tuple(stored), tuple(built))
    names = Counter(layer.name for layer in (*search.stored, *search.built))
    same_names = all(count == 2 for count in names.values())
    if same_names and not _names_are_places(search.stored):
        search.take("name", lambda layer: layer.name)
    search.take("name", lambda layer: None if _generated(layer) else layer.name)
    search.take("order", lambda layer: layer.place or None)
    search.take_in_order("order", _stem, only=_generated)
    search.take("shape", lambda layer: layer.shapes)
    if guess:
        search.take_in_order("shape and order", lambda layer: layer.shapes, sure=False)
    return Matching(pairs=tuple(search.pairs), missing=tuple(search.built), left_over=tuple(search.stored))


def _names_are_places(layers: Sequence[Layer]) -> bool:
    """Tell whether a file of Keras 3 holds no names of layers but those made from their classes."""
    return all(layer.place and layer.place.rpartition("/")[2] == layer.name for layer in layers)


def _generated(layer: Layer) -> bool:
    """Tell whether Keras made the name up from the class: such a name says nothing but the order."""
    return not layer.name or _stem(layer) == _letters(layer.class_name)


def _stem(layer: Layer) -> str:
    return _letters(re.sub(r"_\d+$", "", layer.name))


def _letters(name: str) -> str:
    """Spell a name so that those of Keras 1 (``convolution2d``) and later ones (``conv2d``) are one."""
    return name.lower().replace("_", "").replace("convolution", "conv")


K = TypeVar("K", bound=Hashable)


class _Search:
    """What is matched so far, and what remains on both sides."""

    def __init__(self, stored: Sequence[Layer], built: Sequence[Layer]) -> None:
        self.stored, self.built = list(stored), list(built)
        self.pairs: list[Pair] = []

    def take(self, how: str, key: Callable[[Layer], K | None]) -> None:
        """Pair layers whose key is one layer's alone on either side."""
        stored, built = _by(key, self.stored), _by(key, self.built)
        for value in (value for value in built if value in stored):
            if len(stored[value]) == len(built[value]) == 1:
                self._pair(stored[value][0], built[value][0], how, sure=True)

    def take_in_order(
        self,
        how: str,
        key: Callable[[Layer], K | None],
        *,
        only: Callable[[Layer], bool] = lambda _: True,
        sure: bool = True,
    ) -> None:
        """Pair layers of one key in their order, where both sides have as many of them."""
        stored, built = _by(key, self.stored), _by(key, self.built)
        for value in (value for value in built if value in stored):
            if all(map(only, built[value])) and (len(stored[value]) == len(built[value]) or not sure):
                for left, right in zip(stored[value], built[value], strict=False):
                    self._pair(left, right, how, sure=sure)

    def _pair(self, stored: Layer, built: Layer, how: str, *, sure: bool) -> None:
        self.stored.remove(stored)
        self.built.remove(built)
        self.pairs.append(Pair(stored=stored, built=built, how=how, sure=sure))


def _by(key: Callable[[Layer], K | None], layers: Iterable[Layer]) -> dict[K, list[Layer]]:
    groups: dict[K, list[Layer]] = defaultdict(list)
    for layer in layers:
        if (value := key(layer)) is not None:
            groups[value].append(layer)
    return groups
