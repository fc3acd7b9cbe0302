"""Importing TensorFlow: what it has to find in the environment, and as little of it as is used.

``import tensorflow`` imports all that its public names stand for, and what Keras and those names want of
other packages where they happen to be installed, scikit-learn and SciPy among them: 3,600 modules, of which a
conversion uses half.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packager.deferral import import_sparingly

ENVIRONMENT: Mapping[str, str] = {
    "KERAS_BACKEND": "tensorflow",  # whatever ~/.keras/keras.json prefers
    "CUDA_VISIBLE_DEVICES": "",  # a graph traced beside a GPU may name kernels that only a GPU has
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
"""Variables that the process must start with."""

DEFERRED = (
    "tensorflow._api.v2.*",  # lists of public names, behind which are TPU, Lite, the debugger and others
    "-tensorflow._api.v2.compat.v1.*",  # they put others in their own place, and change one another
    "keras._tf_keras.*",  # the same of Keras, once more, for `tf.keras`
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


def import_tensorflow() -> Any:
    """Import TensorFlow, with what is ``DEFERRED`` left for when it is touched, and return it."""
    return import_sparingly("tensorflow", DEFERRED)


def prepare() -> None:
    """Load what importing TensorFlow begins with, a quarter of the work, whichever Keras is to come with it.

    Python takes a library that is in the process already. Where there is none, the import will tell. No more
    is imported ahead: a file that is refused is not to take 300 MB.
    """
    found = importlib.util.find_spec("tensorflow")  # which imports nothing
    folders = (found and found.submodule_search_locations) or ()
    for library in [library for folder in folders for library in Path(folder).glob("libtensorflow_cc.*")]:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_LOCAL)
