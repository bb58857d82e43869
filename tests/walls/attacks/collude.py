"""Two attempts at once look for each other in every place that they might share."""

import ctypes
import os
import socket
import threading
import time

from probing import probe, say, write

ME = os.environ["REEVE_ATTEMPT"]
PLACES = (
    "/tmp",
    "/dev/shm",
    "/work",
    "/out",
    "/reeve",
    "/env",
    "/var/tmp",
    "/dev/mqueue",
    "/run",
    "/usr/share",
    "/tmp/home",
)


def serve(listener):
    while True:
        connection, _ = listener.accept()
        connection.sendall(ME.encode())
        connection.close()


def listen(family, address):
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    return "listening"


def ask(family, address):
    with socket.socket(family) as plain:
        plain.settimeout(1)
        plain.connect(address)
        return plain.recv(100).decode()


def queue(key):
    """A message queue of System V, left behind for whoever has the same key."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.msgget(key, 0o1666)
    return sum(line.split()[0] == str(key) for line in open("/proc/sysvipc/msg"))


for place in PLACES:
    probe("leave in " + place, write, f"{place}/meet-{ME}")
probe("listen", listen, socket.AF_UNIX, "\0reeve-meet-" + ME)
probe("listen tcp", listen, socket.AF_INET, ("127.0.0.1", 40000 + int(ME.rsplit(".", 1)[1])))
met = set()
for _ in range(12):
    time.sleep(0.1)
    for place in PLACES:
        try:
            met |= {place + "/" + name for name in os.listdir(place) if name.startswith("meet-")}
        except OSError:
            continue
    for other in "12":
        for family, address in (
            (socket.AF_UNIX, "\0reeve-meet-collude." + other),
            (socket.AF_INET, ("127.0.0.1", 40000 + int(other))),
        ):
            try:
                met.add("socket " + ask(family, address))
            except OSError:
                continue
say("met", sorted(met))
say("queues", queue(4711))
