"""Where the proxy may connect to: public addresses of other machines, looked up once."""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

from reeve.adapters.gateway.exchange import Refused

__all__ = ["Dial", "Resolve", "dial", "dialler", "no_public_address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, as text."""

Dial = Callable[[str, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Connects to a host; raises Refused for one whose addresses are not public, OSError where nobody answers."""

CONNECT_SECONDS = 15.0

# Public by their registration, and for all that inside a machine or a cloud.
NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # the host of a virtual machine of Azure
            "192.88.99.0/24",  # relays of 6to4
            "64:ff9b::/96",  # these four carry an IPv4 address inside
            "64:ff9b:1::/48",
            "2002::/16",
            "2001::/32",
            "fec0::/10",  # site-local of old
        ),
    )
)


def no_public_address(text: str) -> str:
    """Say why an address may not be connected to; an empty string: it may."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "it is no address"
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    if address.is_multicast:
        return "it is a multicast address"
    if not address.is_global or address.is_reserved or any(address in network for network in NOT_PUBLIC):
        return "it is a private, local or reserved address"
    if _is_own(address):
        return "it is an address of this machine"
    return ""


def _is_own(address: Address) -> bool:
    """Only an address of one's own can be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL)
    return True


async def _resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def dialler(resolve: Resolve, open_connection: Dial = asyncio.open_connection) -> Dial:
    """Make what connects by what looks up names: what is looked up is checked, and exactly that is connected to.

    `open_connection` is given an address that was checked, and never a name, which could lead elsewhere meanwhile.
    """

    async def connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            addresses = await resolve(host, port)
        except OSError as error:
            raise OSError(f"{host} has no address: {error.strerror or error}") from error
        for address in addresses:  # of several, one bad is enough: which is taken must not matter
            if problem := no_public_address(address):
                raise Refused(403, f"{host} has the address {address}, and {problem}")
        failure: OSError = OSError(f"{host} has no address")
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await open_connection(address, port)
            except (OSError, TimeoutError) as error:
                failure = OSError(f"{host} does not answer: {type(error).__name__}")
        raise failure

    return connect


dial: Dial = dialler(_resolve)
"""Connects as the system looks names up."""
