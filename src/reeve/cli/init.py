"""`reeve init`."""

from pathlib import Path

from reeve.cli.options import Json
from reeve.cli.output import print_json, safe, screen
from reeve.errors import InputError
from reeve.settings import FILE_NAME, find_root, starter_backlog, starter_toml
from reeve.task.build import top_of_repository


def init(*, as_json: Json = False) -> None:
    """Write reeve.toml and backlog/ with one commented example into the current repository.

    What is there already is left alone.
    """
    cwd = Path.cwd()
    if top_of_repository(cwd) is None:
        raise InputError(f"{str(cwd)!r} is in no git repository; `git init` makes one, and results land as its commits")
    root = find_root(cwd)
    example, text = starter_backlog()
    written, kept = [], []
    for name, content in ((FILE_NAME, starter_toml()), (example, text)):
        path = root / name
        if path.exists():
            kept.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        written.append(name)
    if as_json:
        print_json({"root": str(root), "written": written, "kept": kept})
        return
    console = screen()
    for name in written:
        console.print(safe(f"wrote {name}"))
    for name in kept:
        console.print(safe(f"kept  {name}, it was there", "dim"))
    console.print(safe(f"Next: make {example} a task of yours, then `reeve run`; `reeve doctor` looks at the machine."))
