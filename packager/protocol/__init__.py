"""TensorFlow Serving's protocol: its messages and its gRPC services, for the server and for its clients.

``message("PredictRequest")`` is a class of protobuf messages. Nothing of tensorflow is needed or imported,
and any copy of the same messages may be in the process beside these. Tensors inside of messages are
serialised ``TensorProto`` messages: who wants to look into one parses it, a server passes it on as it is::

    request = message("PredictRequest")()
    request.model_spec.name = "digits"
    request.inputs["image"] = message("TensorProto")(dtype=1, float_val=[0.5]).SerializeToString()
"""

from packager.protocol.pool import message
from packager.protocol.services import SERVICES, Method, methods

__all__ = ["SERVICES", "Method", "message", "methods"]
