"""What a module does to its surroundings by being imported, before any test calls it."""

import ast
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import Module, Site, folded

__all__ = ["importing"]

STARTED = {
    "threading.Thread": "starts a thread",
    "threading.Timer": "starts a timer",
    "_thread.start_new_thread": "starts a thread",
    "multiprocessing.Process": "starts a process",
    "os.fork": "forks",
    "os.remove": "removes a file",
    "os.unlink": "removes a file",
    "os.rename": "renames a file",
    "os.replace": "renames a file",
    "os.chdir": "changes the working folder",
    "shutil.rmtree": "removes a folder",
    "shutil.copy": "copies a file",
    "shutil.copyfile": "copies a file",
    "shutil.move": "moves a file",
    "random.seed": "fixes the random numbers of everybody",
    "time.sleep": "waits",
}


def importing(module: Module) -> Iterator[Seen]:
    """Find side effects at import: threads, files that are written, the order of imports."""
    if module.command_line and not module.path.endswith("__init__.py"):
        return
    for site in module.sites_of(ast.Call):
        node = site.node
        if not site.at_import or site.main or not isinstance(node, ast.Call):
            continue
        called = module.dotted(node.func, site)
        name = min(called & STARTED.keys(), default="")
        text = STARTED.get(name, "")
        if not text and _writes(called, node):
            text = "writes a file"
        if not text and called & {"sys.path.insert", "sys.path.append", "sys.path.extend"}:
            text = "changes where modules are imported from"
        if text:
            yield _seen(site, text)


def _writes(called: frozenset[str], node: ast.Call) -> bool:
    if called & {"builtins.open", "io.open"}:
        mode = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "mode"), None)
        value = folded(mode)
        return isinstance(value, str) and bool({*value} & {*"wax+"})
    return isinstance(node.func, ast.Attribute) and node.func.attr in ("write_text", "write_bytes")


def _seen(site: Site, text: str) -> Seen:
    line = getattr(site.node, "lineno", 0)
    return Seen(f"import {text}", line, site.scope, Outcome.UNVERIFIED, f"{text} when it is imported", per_file=True)
