"""The same bytes from the same model: what TensorFlow draws at random is derived from the content instead.

Three things differ from run to run in what ``tf.saved_model.save`` writes. Recurrent layers of tf_keras name
the interface that their functions implement with a random UUID (``gru_<uuid4>``; only equality of these
names counts), and ``fingerprint.pb`` holds another one (tensorflow/core/protobuf/fingerprint.proto).
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

from packager.savedmodel.functionnames import renumber_functions

_RANDOM = re.compile(rb"_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://tfserving-packager.org/fingerprint")


def make_canonical(folder: Path) -> None:
    """Rewrite the SavedModel in ``folder`` so that it depends on nothing but the model and TensorFlow."""
    file = folder / "saved_model.pb"
    document = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in document.meta_graphs:
        renumber_functions(graph)
        numbers: dict[bytes, int] = {}
        for function in graph.graph_def.library.function:
            if "api_implements" in function.attr:
                value = function.attr["api_implements"]
                number = numbers.setdefault(value.s, len(numbers))
                value.s = _RANDOM.sub(b"_%d" % number, value.s)
    file.write_bytes(document.SerializeToString(deterministic=True))
    _write_fingerprint(folder)


def _write_fingerprint(folder: Path) -> None:
    """Compute TensorFlow's fingerprint of the files as they are now, with a UUID that follows from it."""
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(fingerprinting.CreateFingerprintDef(str(folder)))
    fingerprint.uuid = ""
    content = fingerprint.SerializeToString(deterministic=True)
    fingerprint.uuid = str(uuid.uuid5(_NAMESPACE, content.hex()))
    (folder / "fingerprint.pb").write_bytes(fingerprint.SerializeToString(deterministic=True))
