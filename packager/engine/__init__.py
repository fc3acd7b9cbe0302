"""The container engine: everything that packager asks of Docker, behind values and errors of its own."""

from packager.engine.connection import connect
from packager.engine.containers import Container, ContainerSpec, ContainerState, ContainerUsage
from packager.engine.engine import Engine
from packager.engine.images import EngineImage

__all__ = [
    "connect",
    "Engine",
    "EngineImage",
    "Container",
    "ContainerSpec",
    "ContainerState",
    "ContainerUsage",
]
