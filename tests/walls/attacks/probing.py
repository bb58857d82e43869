"""What the attacks share; they run inside the walls, under the task's own interpreter: Python 3.8, standard library."""

import errno
import json
import os

with open("attacks/targets.json") as _file:
    TARGETS = json.load(_file)


def say(name, got):
    """Put one line into the trajectory."""
    print(json.dumps({"probe": name, "got": got if isinstance(got, str) else repr(got)}), flush=True)


def probe(name, function, *arguments):
    """Try one thing, and say what came of it: the name of the error, or what was returned."""
    try:
        got = function(*arguments)
    except OSError as error:
        got = errno.errorcode.get(error.errno, f"OSError: {error}")
    except BaseException as error:
        got = f"{type(error).__name__}: {error}"
    say(name, got)


def write(path, content=b"attacked"):
    """Write a file; says so only if it was written."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)
    return "written"


def read(path):
    """Read a file, or list a folder that is not empty."""
    if os.path.isdir(path) and not os.path.islink(path):
        return os.listdir(path) or "EMPTY"
    with open(path, "rb") as file:
        return file.read(4000)
