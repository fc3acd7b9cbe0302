"""The labels that packager writes into its images, and reads back from them."""

from __future__ import annotations

MODEL = "org.tfserving-packager.model"
"""Name of the model that the image serves."""

VERSIONS = "org.tfserving-packager.versions"
"""The version numbers inside, comma separated, ascending: ``1,2``."""

TENSORFLOW = "org.tfserving-packager.tensorflow"
"""Version of the TensorFlow that exported the model, or that the embedded runtime is made of."""

RUNTIME = "org.tfserving-packager.runtime"
"""``embedded`` on images whose server is packager's own, with the digest of its parts."""
