"""The smoke test: a running server has to answer what the source model answered."""

from packager.smoketest.running import running_folder, running_image
from packager.smoketest.smoke import smoke_folder, smoke_image

__all__ = ["smoke_folder", "smoke_image", "running_folder", "running_image"]
