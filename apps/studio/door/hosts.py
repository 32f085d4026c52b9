"""By which names the server is reached, and which pages may talk to it.

A page of another site can make a browser send requests here: under the site's own name, which its
owner lets point to this machine for a moment (DNS rebinding), or from its own origin. Both show in
the headers.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHARED = ".gradio.live"
"""Where Gradio's public links end."""


def known_names(host: str, given: Iterable[str] = ()) -> frozenset[str]:
    """Names that a server listening on `host` answers to, besides any plain IP address.

    Args:
        host: the address it was told to listen on.
        given: names it was told to be known by.
    """
    names = {"localhost", host, *given}
    if host not in LOOPBACK:
        own = socket.gethostname()
        names |= {own, f"{own.partition('.')[0]}.local"}
    return frozenset(name.lower() for name in names)


def is_known(host: str, names: frozenset[str], shared: bool = False) -> bool:
    """Is the value of a Host header one that the server was told to be?"""
    name = _name("//" + host)
    return name in names or _is_address(name) or (shared and name.endswith(SHARED))


def is_own(origin: str, host: str, names: frozenset[str]) -> bool:
    """Does an Origin header name the page of this server, or of the proxy before it?

    Args:
        origin: the header; "null" is nobody's.
        host: the request's Host header.
        names: those the server was told to be known by; a proxy may have put another Host.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    standard = {"http": ":80", "https": ":443"}.get(parts.scheme)
    if standard is None:
        return False
    same = {parts.netloc.lower(), parts.netloc.lower().removesuffix(standard)}
    return bool(same & {host.lower(), host.lower().removesuffix(standard)}) or (
        _name(origin) in names - set(LOOPBACK)
    )


def _name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
