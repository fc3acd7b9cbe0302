"""A small variable is set once: from the file, or else to what it begins with."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def made() -> list[str]:
    """Tell of each time that a variable was given what it begins with."""
    return []


@pytest.fixture
def variable(made: list[str]) -> Any:
    import tensorflow as tf

    from packager.loading.deferred import LateVariable, deferred_variables

    def initial() -> Any:
        made.append("once")
        return tf.ones((3,))

    with deferred_variables():
        variable = tf.Variable(initial, dtype=tf.float32, shape=(3,), name="bias")
    assert isinstance(variable, LateVariable)
    return variable


def test_one_that_is_set_is_not_initialised(variable: Any, made: list[str]) -> None:
    variable.assign([1.0, 2.0, 3.0])
    assert variable.numpy().tolist() == [1, 2, 3]
    assert made == []


def test_a_function_reads_what_it_begins_with(variable: Any, made: list[str]) -> None:
    import tensorflow as tf

    assert tf.function(lambda x: x + variable)(1.0).numpy().tolist() == [2, 2, 2]
    assert variable.assign_add([1.0, 1.0, 1.0]).numpy().tolist() == [2, 2, 2]
    assert made == ["once"]


def test_numbers_that_do_not_fit_change_nothing(variable: Any, made: list[str]) -> None:
    with pytest.raises(ValueError, match="Shape mismatch"):
        variable.assign([1.0, 2.0])
    assert variable.numpy().tolist() == [1, 1, 1]
    assert made == ["once"]


def test_one_that_is_set_in_a_graph_begins_as_it_should(variable: Any, made: list[str]) -> None:
    import tensorflow as tf

    @tf.function
    def twice() -> Any:
        before = variable.read_value()
        variable.assign(before * 2)
        return before

    assert twice().numpy().tolist() == [1, 1, 1]
    assert variable.numpy().tolist() == [2, 2, 2]
    assert made == ["once"]
