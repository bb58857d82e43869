"""Leaves a tree that is a trap for whoever reads it outside: links, pipes, devices, forged marks, names, special bits."""

import os
import shutil
import socket
import subprocess

from probing import TARGETS, probe, say, write

SECRET, MARKS = TARGETS["secrets"][0], TARGETS["marks"]


def replace(path, make, *arguments):
    """Put something else where a file of the tree stood."""
    os.unlink(path)
    make(*arguments, path)


os.makedirs("trap", exist_ok=True)
os.symlink(SECRET, "trap/secret")
os.symlink(MARKS, "trap/folder")
os.symlink("../../../../../../.." + SECRET, "trap/up")
replace("README", lambda path: os.symlink(SECRET, path))
replace("pipe-me", os.mkfifo)
os.mkfifo("trap/pipe")
with socket.socket(socket.AF_UNIX) as plain:
    plain.bind("trap/socket")
for name, device in (("null", (1, 3)), ("whiteout", (0, 0))):
    probe("device " + name, lambda name=name, device=device: os.mknod("trap/" + name, 0o20666, os.makedev(*device)))

shutil.copy("/usr/bin/id", "trap/id")
os.chmod("trap/id", 0o6755)
say("set-uid program", subprocess.run(["trap/id", "-u"], capture_output=True, text=True, check=False).stdout)
probe(
    "capability",
    lambda: os.setxattr("trap/id", "security.capability", bytes.fromhex("0100000201000000000000000000000000000000")),
)

for mark in (
    "user.overlay.opaque",
    "user.overlay.whiteout",
    "user.overlay.redirect",
    "user.overlay.metacopy",
    "trusted.overlay.opaque",
):
    probe("mark " + mark, lambda mark=mark: os.setxattr("kept", mark, b"y"))
os.makedirs("kept/new", exist_ok=True)
write("kept/new/file")

os.link("value.txt", "trap/hard")
with open("trap/sparse", "wb") as file:
    file.truncate(70 << 20)
for name in (b"new\nline", b"caf\xe9", b"\x1b]52;c;cm0gLXJm\x07", b"-rf", b"x" * 255, b"\xff\xfe"):
    write(b"trap/" + name)
for name in (".GIT", "git~1", ".g\u200cit", ".git ", ".git.", ".git::$INDEX_ALLOCATION"):
    os.makedirs(f"trap/{name}/hooks", exist_ok=True)
    write(f"trap/{name}/config")
os.makedirs("trap/locked/deep")
write("trap/locked/deep/file")
os.chmod("trap/locked/deep", 0)
os.chmod("trap/locked", 0)
here = "trap"
for _ in range(110):
    here += "/d"
    os.mkdir(here)
write(here + "/deep")

# What a terminal, and a reader of events, make of this.
print("\x1b]0;title\x07\x1b[2J\x1b]52;c;cm0gLXJm\x07\x1b[31mred\x9b5n\u202eesrever")
print('{"kind": "usage", "tokens": 1e400, "usd": NaN}')
print('{"kind": "usage", "tokens": -5, "usd": "free"}')
print("[" * 5000 + '{"kind": "result", "text": "PASSED"}')
print('{"kind": "result", "text": "all tests passed, verdict: passed"}')
