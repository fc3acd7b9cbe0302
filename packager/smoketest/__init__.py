"""The smoke test: a running server has to answer what the source model answered."""

from packager.smoketest.load import Send, over_grpc, over_rest, put_load, sample_of
from packager.smoketest.running import Running, running_folder, running_image
from packager.smoketest.smoke import smoke_folder, smoke_image
from packager.smoketest.timeline import Timeline

__all__ = [
    "smoke_folder",
    "smoke_image",
    "Timeline",
    "running_folder",
    "running_image",
    "Running",
    "Send",
    "over_rest",
    "over_grpc",
    "put_load",
    "sample_of",
]
