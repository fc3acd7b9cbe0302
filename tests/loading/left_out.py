"""See that what an import by ``packager.importing`` leaves out shows nowhere: ``python left_out.py``."""

from __future__ import annotations

import inspect
import sys
import traceback
import typing
from collections.abc import Callable
from typing import Any

from packager.importing import import_tensorflow

BEFORE = (vars(inspect)["_signature_from_function"], traceback.extract_stack)
tf = import_tensorflow()


def message_of(kind: type[Exception], function: Callable[..., Any], *args: Any) -> str:
    try:
        function(*args)
    except kind as error:
        return str(error)
    raise AssertionError(f"{function} raises no {kind}")


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def look_at_python() -> None:
    assert (vars(inspect)["_signature_from_function"], traceback.extract_stack) == BEFORE
    assert not [finder for finder in sys.meta_path if type(finder).__module__ == "packager.replaced"]
    names = ["_atypes.Float32", "_atypes.Half", "Other"]
    found = typing.TypeVar("_T", *names).__constraints__
    assert [
        getattr(part, "__forward_arg__", part) for part in found
    ] == names  # as of Python 3.12, as they are


def look_at_raw_operations() -> None:
    add = tf.raw_ops.AddV2
    assert add(x=1.0, y=2.0).numpy() == 3
    assert parameters(add) == ["x", "y", "name"]
    assert (add.__name__, add.__module__) == ("add_v2", "tensorflow.python.ops.gen_math_ops")
    assert "x + y" in add.__doc__
    assert "add_v2 takes keyword arguments only: (x" in message_of(TypeError, add, 1.0, 2.0)


def look_at_operations() -> None:
    ragged = tf.ragged.constant([[-1.0], [2.0, -3.0]])
    assert tf.math.abs(ragged).to_list() == [[1], [2, 3]]
    assert tf.strings.length(tf.ragged.constant([["a"], ["bc", ""]])).to_list() == [[1], [2, 0]]
    assert parameters(tf.math.abs) == ["x", "name"]
    assert parameters(tf.reduce_sum) == ["input_tensor", "axis", "keepdims", "name"]
    assert "6 values" in message_of(tf.errors.InvalidArgumentError, tf.reshape, tf.zeros([2, 3]), [4])
    assert "unsupported type" in message_of(ValueError, tf.nn.relu, object())


def look_at_gradients() -> None:
    again = tf.RegisterGradient("Tanh")
    assert "registry.py" in message_of(KeyError, again, lambda op, grad: grad)
    with tf.GradientTape() as tape:
        x = tf.Variable(0.0)
        y = tf.tanh(x)
    assert tape.gradient(y, x).numpy() == 1


def main() -> None:
    look_at_python()
    look_at_raw_operations()
    look_at_operations()
    look_at_gradients()


if __name__ == "__main__":
    main()
