"""Importing TensorFlow: what it has to find in the environment, and as little of it as is used.

``import tensorflow`` imports all that its public names stand for, and what Keras and those names want of
other packages where they happen to be installed, scikit-learn and SciPy among them: 3,600 modules, of which a
conversion uses half.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import sys
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cache, wraps
from typing import Any, TypeVar

from packager.deferral import import_sparingly
from packager.replaced import remembered, replaced, replaced_from_the_start

T = TypeVar("T")

ENVIRONMENT: Mapping[str, str] = {
    "KERAS_BACKEND": "tensorflow",  # whatever ~/.keras/keras.json prefers
    "CUDA_VISIBLE_DEVICES": "",  # a graph traced beside a GPU may name kernels that only a GPU has
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_NUM_INTRAOP_THREADS": "1",  # how many share a sum shows in its last bits, and most of them only spin
    "OPENBLAS_NUM_THREADS": "1",  # NumPy multiplies nothing here, and more would spin at first
}
"""Variables that the process must start with."""

DEFERRED = (
    "tensorflow._api.v2.*",  # lists of public names, behind which are TPU, Lite, the debugger and others
    "keras._tf_keras.*",  # the same of Keras, once more, for `tf.keras`
    "tensorflow.python.ops.gen_*",  # a function for each kernel, many for data sets, TPU and other corners
    "tensorflow.python.keras.engine.training_v1",  # behind `tf.nn`: SciPy
    "keras.wrappers",  # scikit-learn, and through it SciPy
    "tf_keras.preprocessing.*",  # SciPy
    "tf_keras.src.preprocessing.image",
    "tf_keras.src.engine.training_v1",
    "requests",  # callbacks that report to a server
    "rich.console",  # summaries of models
    "rich.markup",
    "rich.table",
)
"""Modules that nobody looks into while TensorFlow and Keras are imported."""

LISTS = r"(tensorflow\._api\.v2|keras\._tf_keras)\..*(?<!\.v[12])"
"""Those of them that only list names; what ends in ``.v1`` or ``.v2`` changes others as well."""

AHEAD = (
    *("packager.conversion", "packager.sources"),
    *("numpy", "h5py", "ml_dtypes", "google.protobuf.text_format", "google.protobuf.json_format"),
    *("absl.logging", "wrapt", "gast", "astunparse", "opt_einsum", "optree", "PIL.Image"),
    *("asyncio", "unittest.mock", "xml.dom.minidom"),
)
"""Modules that TensorFlow, Keras and conversions import, and that are small."""


def import_tensorflow() -> Any:
    """Import TensorFlow, with what is ``DEFERRED`` left for when it is touched, and return it."""
    _look_once()
    with _nothing_collected(), _nothing_for_onlookers():
        tensorflow = import_sparingly("tensorflow", DEFERRED, lists=LISTS)
        _run_operations_as_they_are()
    return tensorflow


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep Python from looking for garbage: an import makes many objects, all of which stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def _nothing_for_onlookers() -> Iterator[None]:
    """Keep TensorFlow from what serves those who read its errors and its documentation.

    For each of its 2,000 functions it makes out the signature, up to six times, and wraps it to shorten what
    an exception tells of its way; of each gradient it reads the line of source that registers it.
    """
    with contextlib.ExitStack() as patches:
        patches.enter_context(remembered(inspect, "_signature_from_function"))
        patches.enter_context(replaced(traceback, "extract_stack", _unread_stack))
        for module, name, value in (
            ("tensorflow.python.util.traceback_utils", "filter_traceback", lambda function: function),
            ("tensorflow.python.framework.ops", "to_raw_op", _by_keywords_only),
        ):
            patches.enter_context(replaced_from_the_start(module, name, value))
        yield


def _unread_stack(frame: Any = None, limit: int | None = None) -> traceback.StackSummary:
    """Do what ``traceback.extract_stack`` does, but read a line of source when it is asked for."""
    begin = sys._getframe(1) if frame is None else frame
    stack = traceback.StackSummary.extract(traceback.walk_stack(begin), limit=limit, lookup_lines=False)
    stack.reverse()
    return stack


def _by_keywords_only(function: Callable[..., T]) -> Callable[..., T]:
    """Return what stands for an operation in ``tf.raw_ops``."""

    @wraps(function, updated=())  # among what it has is under which names it is exported
    def raw(*args: Any, **inputs: Any) -> T:
        if args:
            raise TypeError(
                f"{function.__name__} takes keyword arguments only: {inspect.signature(function)}"
            )
        return function(**inputs)

    return raw


def _look_once() -> None:
    """Let ``typing`` look once at what a protocol asks for, and at the types that TensorFlow quotes.

    It quotes the same few 15,000 times. As of Python 3.12, the one is remembered and the other not done.
    """
    if sys.version_info < (3, 12):
        names = vars(typing)
        check = names["_type_check"]
        quoted = cache(lambda name: check(name, "a type"))
        names["_get_protocol_attrs"] = cache(names["_get_protocol_attrs"])
        names["_type_check"] = lambda arg, *args, **options: (
            quoted(arg) if type(arg) is str and arg.startswith("_atypes.") else check(arg, *args, **options)
        )


def _run_operations_as_they_are() -> None:
    """Have an operation run by its kernel, not by a function around it that is optimised first.

    That function is made anew for every kind and shape of operation, most of which a conversion runs twice.
    """
    from tensorflow.python import pywrap_tfe

    tell = pywrap_tfe.TFE_ContextOptionsSetRunEagerOpAsFunction
    pywrap_tfe.TFE_ContextOptionsSetRunEagerOpAsFunction = lambda options, _: tell(options, False)


def prepare() -> None:
    """Import what is small, whichever Keras is to come with it.

    Nothing of TensorFlow is loaded, whose library alone is a quarter of its import: a file that is refused is
    not to take 300 MB. What is not installed, the import of TensorFlow will tell.
    """
    with _nothing_collected():
        for name in AHEAD:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
