"""What a client of the served model sees: the names, dtypes and shapes of its requests and answers."""

from packager.signatures.serving import rename, serving_signature

__all__ = ["rename", "serving_signature"]
