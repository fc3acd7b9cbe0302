"""Rebuilding the model: from an inspected file to a Keras model whose weights are proven to be the file's.

Which library rebuilds a file is decided by who wrote it, never by trial: Keras 3 reads many Keras 2 files
without an error and answers wrongly. ``packager.loading.loading`` is where to begin; it brings TensorFlow.
"""
