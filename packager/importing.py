"""Importing TensorFlow: what it has to find in the environment, and as little of it as is used.

``import tensorflow`` imports all that its public names stand for, and what Keras and those names want of
other packages where they happen to be installed, scikit-learn and SciPy among them: 3,600 modules, of which a
conversion uses half.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping
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

AHEAD = (
    "packager.conversion",
    "numpy",
    "h5py",
    "google.protobuf.text_format",
    "google.protobuf.json_format",
    "absl.logging",
    "wrapt",
    "gast",
    "astunparse",
    "opt_einsum",
    "ml_dtypes",
    "optree",
    "xml.dom.minidom",
    "unittest.mock",
    "asyncio",
    "PIL.Image",
)


def import_tensorflow() -> Any:
    """Import TensorFlow, with what is ``DEFERRED`` left for when it is touched, and return it."""
    return import_sparingly("tensorflow", DEFERRED)


def prepare() -> None:
    """Import what TensorFlow, Keras and a conversion want of other packages, whichever Keras is to come with them.

    Nothing of TensorFlow is loaded ahead, whose library alone is a quarter of its import: a file that is
    refused is not to take 300 MB. A package that is not there, the import of TensorFlow will tell.
    """
    for name in AHEAD:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
