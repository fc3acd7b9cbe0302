"""The REST API: JSON in and out, byte for byte as TensorFlow Serving's, and the HTTP under it."""
