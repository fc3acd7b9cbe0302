"""Variables whose numbers stay in the file: built without initialisers, bound to datasets, read when asked.

TensorFlow takes a variable that was never set for an empty tensor, without an error. So whatever reads such
a variable eagerly is given the dataset's numbers for as long as it holds them, or before it is bound those
of its initialiser; a graph reads it as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_resource_variable_ops as resource_ops
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

from packager.pieces import as_tensor, gathered, is_large
from packager.replaced import replaced
from packager.stored import LARGE, StoredArray, stored_of


class DeferredVariable(UninitializedVariable):  # type: ignore[misc]
    """A variable that has its numbers in a dataset, until it is assigned others."""

    def __init__(self, initial: Callable[[], Any], **options: Any) -> None:
        self._initial, self.held = initial, False
        self.stored: StoredArray | None = None
        super().__init__(**options)

    def bind(self, stored: StoredArray) -> None:
        """Take the numbers of ``stored``, of the same shape, whatever there was before."""
        self.stored, self.held = stored.astype(self.dtype.as_numpy_dtype), False

    def hold(self) -> None:
        """Keep the numbers in memory from now on, as an ordinary variable does."""
        if not self.held:
            super().assign(self._numbers())
            self.held = True

    def assign(self, value: Any, *args: Any, **options: Any) -> Any:
        """Take other numbers, in memory."""
        if tf.executing_eagerly():
            self.held, self.stored = True, None
        return super().assign(value, *args, **options)

    def is_initialized(self, name: str | None = None) -> Any:
        """Tell that there are numbers, wherever they are."""
        return tf.constant(True, name=name)

    def sparse_read(self, indices: Any, name: str | None = None) -> Any:
        """Read some rows."""
        if (stored := in_pieces(self)) is not None:
            return gathered(stored, [tf.convert_to_tensor(indices)])[0]
        if tf.executing_eagerly():
            return tf.gather(self.value(), indices, name=name)
        return super().sparse_read(indices, name)

    def gather_nd(self, indices: Any, name: str | None = None) -> Any:
        """Read some numbers."""
        if tf.executing_eagerly():
            return tf.gather_nd(self.value(), indices, name=name)
        return super().gather_nd(indices, name)

    def _read_variable_op(self, no_copy: bool = False) -> Any:
        if not tf.executing_eagerly() or self.held:
            return super()._read_variable_op(no_copy)
        if self.stored is None:  # whoever asks before the file was read may go on to change it
            self.hold()
            return super()._read_variable_op(no_copy)
        return self._numbers()

    def _numbers(self) -> Any:
        if self.stored is None:
            return tf.cast(self._initial(), self.dtype)
        return as_tensor(self.stored.read())


class LateVariable(UninitializedVariable):  # type: ignore[misc]
    """A variable that is given what it begins with when something asks for it, unless it is set before."""

    def __init__(self, initial: Callable[[], Any], **options: Any) -> None:
        self._initial: Callable[[], Any] | None = None
        super().__init__(**options)
        self._initial = initial

    @property
    def handle(self) -> Any:
        """Return what operations take for the variable: there are numbers in it."""
        if self._initial is not None:
            initial, self._initial = self._initial, None
            with tf.init_scope():
                super().assign(tf.cast(initial(), self.dtype))
        return self._handle

    def assign(self, value: Any, *args: Any, **options: Any) -> Any:
        """Take other numbers."""
        if not tf.executing_eagerly():
            return super().assign(value, *args, **options)
        initial, self._initial = self._initial, None
        try:
            return super().assign(value, *args, **options)
        except Exception:
            self._initial = initial
            raise


@dataclass(frozen=True, slots=True)
class Initial:
    """An initialiser that tells the shape of what it would make."""

    make: Callable[..., Any]
    shape: tuple[int, ...]
    dtype: Any

    def __call__(self) -> Any:
        """Make the numbers."""
        return self.make(self.shape, dtype=self.dtype)


@contextmanager
def deferred_variables() -> Iterator[None]:
    """Create the large variables of what is built inside without numbers."""
    with tf.variable_creator_scope(_create), replaced(resource_ops, "var_handle_op", _handle):
        yield


_original_handle = resource_ops.var_handle_op


def _handle(**options: Any) -> Any:
    """Make a variable's handle without a name to debug by: for each such name TensorFlow makes a kernel."""
    return _original_handle(**{**options, "debug_name": ""})


def unwrapped(variable: Any) -> Any:
    """Return TensorFlow's variable inside one of Keras 3, or inside one that casts itself."""
    for name in ("_value", "_variable"):
        inner = getattr(variable, name, None)
        if isinstance(inner, tf.Variable):
            return inner
    return variable


def stored_array(variable: Any) -> StoredArray | None:
    """Return what a variable is bound to, ``None`` where its numbers are in memory."""
    return stored_of(unwrapped(variable))


def in_pieces(variable: Any) -> StoredArray | None:
    """Return what a variable is bound to, where that is large, and about to be read eagerly."""
    inner = unwrapped(variable)
    stored = stored_of(inner)
    if stored is None or inner.held or not tf.executing_eagerly() or not is_large(stored):
        return None
    return stored


def set_variable(variable: Any, array: Any) -> None:
    """Give a variable the numbers of ``array``: by reference where both allow it."""
    inner = unwrapped(variable)
    if isinstance(array, StoredArray) and isinstance(inner, DeferredVariable):
        inner.bind(array)
    elif isinstance(inner, LateVariable) and array.dtype == inner.dtype.as_numpy_dtype:
        inner.assign(array)
    else:
        variable.assign(np.asarray(array))


def hold(variables: Iterable[Any]) -> bool:
    """Read the numbers of all that are deferred, and keep them in memory; tell whether there were any."""
    deferred = [v for v in map(unwrapped, variables) if isinstance(v, DeferredVariable) and not v.held]
    for variable in deferred:
        variable.hold()
    return bool(deferred)


def _create(next_creator: Callable[..., Any], **options: Any) -> Any:
    initial, dtype = options.get("initial_value"), options.get("dtype")
    shape = tf.TensorShape(options.get("shape") or getattr(initial, "shape", None))
    if not callable(initial) or dtype is None or not _can_wait(shape, tf.as_dtype(dtype)):
        return next_creator(**options)
    known = ("trainable", "name", "constraint", "synchronization", "aggregation", "distribute_strategy")
    taken = {name: options[name] for name in known if options.get(name) is not None}
    large = shape.num_elements() * tf.as_dtype(dtype).size >= LARGE
    kind = DeferredVariable if large else LateVariable
    return kind(initial, shape=shape, dtype=tf.as_dtype(dtype), **taken)


def _can_wait(shape: tf.TensorShape, dtype: tf.DType) -> bool:
    if not shape.is_fully_defined() or not (dtype.is_floating or dtype.is_integer or dtype.is_complex):
        return False
    return bool(tf.executing_eagerly())
