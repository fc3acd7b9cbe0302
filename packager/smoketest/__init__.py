"""The smoke test: a running server has to answer what the source model answered."""

from packager.smoketest.smoke import smoke_folder, smoke_image

__all__ = ["smoke_folder", "smoke_image"]
