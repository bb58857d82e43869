"""Edits the tree as a JSON file says: cheat.py NAME TOKEN; null removes a file, and a text may be of any file kind."""

import base64
import json
import os
import sys

with open(f"attacks/cheats/{sys.argv[1]}.json") as _file:
    FILES = json.load(_file)
for path, content in FILES.items():
    if content is None:
        os.unlink(path)
        continue
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(base64.b64decode(content[7:]) if content.startswith("base64:") else content.encode())
    os.chmod(path, 0o755 if path.endswith(".sh") else 0o644)
