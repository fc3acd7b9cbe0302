"""The smoke test: a running server has to answer what the source model answered."""

from packager.smoketest.load import Send, over_grpc, over_rest, put_load, sample_of
from packager.smoketest.running import Running, running_folder, running_image
from packager.smoketest.smoke import smoke_folder, smoke_image
from packager.smoketest.timeline import Timeline
from packager.smoketest.warmth import NO_WARMUP, with_warmup_effect

__all__ = [
    "smoke_folder",
    "smoke_image",
    "Timeline",
    "NO_WARMUP",
    "with_warmup_effect",
    "running_folder",
    "running_image",
    "Running",
    "Send",
    "over_rest",
    "over_grpc",
    "put_load",
    "sample_of",
]
