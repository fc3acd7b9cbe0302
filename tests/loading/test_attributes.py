"""Attributes of layers of Keras 3, set while a model is built without waste."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.tensorflow


def test_what_is_to_be_tracked_is_and_the_rest_is_set() -> None:
    import keras

    from packager.loading.frugal import frugal_building

    class Holder(keras.layers.Layer):
        def __init__(self) -> None:
            self.before = 1  # before Keras has begun to keep track
            super().__init__()
            self.count, self.title, self.rate, self.on, self.nothing = 2, "a", 0.5, True, None
            self.inner = keras.layers.Dense(3)
            self.many = [keras.layers.Dense(1), 7]

        @property
        def doubled(self) -> int:
            return self._doubled

        @doubled.setter
        def doubled(self, value: int) -> None:
            self._doubled = 2 * value

    with frugal_building():
        layer = Holder()
        layer.doubled = 4
        layer.inner = 5  # what was tracked gives way
        layer.trainable = False
    assert (layer.before, layer.count, layer.title, layer.rate, layer.on, layer.nothing) == (
        *(1, 2, "a", 0.5, True),
        None,
    )
    assert layer.doubled == 8
    assert layer.inner == 5
    assert not layer.trainable
    assert [type(found) for found in layer._flatten_layers(include_self=False)] == 2 * [keras.layers.Dense]


def test_code_of_the_users_that_takes_part_is_asked() -> None:
    import keras

    from packager.loading.frugal import frugal_building

    class Noting:
        def __setattr__(self, name: str, value: Any) -> None:
            vars(self).setdefault("noted", []).append(name)
            super().__setattr__(name, value)

    class After(keras.layers.Layer, Noting):  # type: ignore[misc]
        pass

    class Before(Noting, keras.layers.Layer):  # type: ignore[misc]
        pass

    with frugal_building():
        for layer in (After(), Before()):
            layer.size = 3
            assert layer.size == 3
            assert "size" in layer.noted
