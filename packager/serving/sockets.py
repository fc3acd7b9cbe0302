"""Sockets to listen on, bound before the models are loaded so that a port in use is known at once."""

from __future__ import annotations

import errno
import socket

_NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(address: str, port: int) -> socket.socket:
    """Bind a TCP socket, to all addresses of this machine where ``address`` is empty; raise OSError.

    It refuses connections until somebody listens on it.
    """
    if address:
        return _bound(socket.AF_INET6 if ":" in address else socket.AF_INET, address, port)
    if socket.has_dualstack_ipv6():
        try:
            return _bound(socket.AF_INET6, "::", port)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return _bound(socket.AF_INET, "0.0.0.0", port)


def _bound(family: int, address: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((address, port))
    except BaseException:
        bound.close()
        raise
    return bound
