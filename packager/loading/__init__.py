"""Rebuilding the model: from an inspected file to a Keras model whose weights are proven to be the file's.

Which library rebuilds a file is decided by who wrote it, never by trial: Keras 3 reads many Keras 2 files
without an error and answers wrongly.
"""

from packager.loading.loading import load_model, propose_mapping
from packager.loading.model import LoadedModel, ModelInput

__all__ = ["LoadedModel", "ModelInput", "load_model", "propose_mapping"]
