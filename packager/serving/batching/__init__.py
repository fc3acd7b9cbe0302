"""Runs the requests of several clients as one batch (``batching_session.cc`` of TensorFlow Serving)."""
