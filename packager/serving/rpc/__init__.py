"""The gRPC API: the same models as over REST, by TensorFlow Serving's own messages and services."""
