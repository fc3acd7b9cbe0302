"""Networks of one run: a container in one of ours meets no other container, and has no way out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from docker import APIClient

from packager.engine.containers import NAME_PREFIX
from packager.engine.creation import Creation
from packager.engine.failures import translated

# A network that is `internal` publishes no ports. Without masquerading a published port still answers on
# 127.0.0.1, and what the container sends to other places gets no answer.
# https://docs.docker.com/engine/network/drivers/bridge/#options
_OPTIONS = {
    "com.docker.network.bridge.enable_ip_masquerade": "false",
    "com.docker.network.bridge.enable_icc": "false",
}


@contextmanager
def created_network(client: APIClient, labels: Mapping[str, str]) -> Iterator[str]:
    """Create a network and give its name; remove it at the end, whatever happens."""
    name = f"{NAME_PREFIX}{secrets.token_hex(8)}"
    creation = Creation()
    try:
        with translated("creating a network for the container"), creation.asked():
            client.create_network(name, driver="bridge", options=_OPTIONS, labels=dict(labels))
        yield name
    finally:
        with translated(f"removing the network {name!r}"):
            creation.undo(lambda: client.remove_network(name))
