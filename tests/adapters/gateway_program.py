"""The gateway as a program in which names lead where a test says: its last argument is JSON.

`reachable` names are connected to at a port of this machine; the `addresses` of all others are checked as ever.
"""

import asyncio
import json
import sys

from reeve.adapters.gateway.addresses import dialler
from reeve.adapters.gateway.serve import serve

TOLD = json.loads(sys.argv[-1])


async def resolve(host, port):
    del port
    if host not in TOLD["addresses"]:
        raise OSError(-2, "Name or service not known")
    return TOLD["addresses"][host]


async def dial(host, port):
    if host in TOLD["reachable"]:
        return await asyncio.open_connection("127.0.0.1", TOLD["reachable"][host])
    return await dialler(resolve)(host, port)


serve(dial)
