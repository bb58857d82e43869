"""The gateway of the expedition: the real one, with names that the expedition made up: resolving.py TABLE.

TABLE is a JSON file: for each name the answers of its first, second, ... lookup, of which the last one stays. The one
host that stands for another machine is connected to without a look at its address, as this machine alone is there.
"""

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

from reeve.adapters.gateway.addresses import dialler
from reeve.adapters.gateway.serve import serve

PLACE = Path(sys.argv[1])
TABLE = json.loads(PLACE.read_text())


def note(line):
    with PLACE.with_name("gateway-notes").open("a") as notes:
        notes.write(line + "\n")


async def resolve(host, _port):
    note(f"lookup {host}")
    answers = TABLE["names"].get(host)
    if not answers:
        raise OSError("no such name")
    return answers.pop(0) if len(answers) > 1 else answers[0]


checked = dialler(resolve)


async def dial(host, port):
    if host == TABLE["elsewhere"]["name"]:
        return await asyncio.open_connection("127.0.0.1", TABLE["elsewhere"]["port"])
    return await checked(host, port)


note(f"started {os.getpid()}")
serve(dial)
note(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}")
