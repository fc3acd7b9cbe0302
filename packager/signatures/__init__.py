"""What a client of the served model sees: the names, dtypes and shapes of its requests and answers.

``packager.signatures.endpoints`` makes them of a model and needs TensorFlow; all else here does not.
"""

from packager.signatures.declaration import Declaration
from packager.signatures.reading import find_declaration, read_declaration
from packager.signatures.serving import rename

__all__ = ["Declaration", "find_declaration", "read_declaration", "rename"]
