"""Code that newly reaches out of the process: the network, other programs, the history of the repository."""

import ast
import re
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import Module, Site, folded, words

__all__ = ["outside"]

NETWORK = words(
    "socket _socket urllib.request urllib2 urllib3 http.client http.server requests httpx aiohttp ftplib smtplib "
    "poplib imaplib telnetlib xmlrpc.client websocket websockets paramiko pycurl socketserver"
)
HISTORY = frozenset(("git", "pygit2", "dulwich", "gitdb"))
PROGRAMS = frozenset(("subprocess", "_posixsubprocess", "pty", "pexpect", "sh", "plumbum"))
STARTS = re.compile(
    r"os\.(system|popen|exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?|startfile)|asyncio\.create_subprocess_(exec|shell)"
)
FETCHES = re.compile(r"\s*(?:\S*/)?(git|curl|wget|pip3?|uv|svn|hg|nc|ncat|ssh|scp)(?:\s|$)")
TEST_FILES = re.compile(r"(^|/)(tests?(/|$)|test_\w+\.py$|\w+_test\.py$|conftest\.py$)|(^|/)\.git(/|$)")
READS = words(
    "builtins.open io.open pathlib.Path glob.glob os.walk os.listdir os.scandir os.stat os.access os.path.exists "
    "os.path.lexists os.path.isfile os.path.isdir os.path.getsize os.path.getmtime"
)
SOURCES = frozenset(("linecache.getline", "linecache.getlines", "inspect.getsource", "inspect.getsourcelines"))


def outside(module: Module) -> Iterator[Seen]:
    """Find new imports for the network and for other programs, and what reads tests or history."""
    for site, name in module.imports:
        if site.main:
            continue
        if name in NETWORK:
            yield _seen("network", site, f"uses the network ({name})")
        elif name in PROGRAMS:
            yield _seen("programs", site, f"starts other programs ({name})")
        elif name.split(".")[0] in HISTORY:
            yield _seen("history", site, f"reads the history of a repository ({name})")
    for site, dotted in module.mentions:
        if name := next((each for each in sorted(dotted) if STARTS.fullmatch(each)), ""):
            yield _seen("programs", site, f"starts other programs ({name})")
        elif dotted & SOURCES:
            yield _seen("sources", site, f"reads source code while it runs ({min(dotted & SOURCES)})")
    for site in module.sites_of(ast.Call):
        if isinstance(site.node, ast.Call):
            yield from _call(module, site, site.node)


def _call(module: Module, site: Site, node: ast.Call) -> Iterator[Seen]:
    called = module.dotted(node.func, site)
    first = node.args[0] if node.args else None
    if called & READS:
        for path in (each for arg in node.args for each in ast.walk(arg)):
            value = folded(path)
            if isinstance(value, str) and TEST_FILES.search(value):
                yield _seen("tests", site, f"looks at {value[:60]!r}")
    if any(name.startswith("subprocess.") or STARTS.fullmatch(name) for name in called):
        command = first.elts[0] if isinstance(first, ast.List | ast.Tuple) and first.elts else first
        text = folded(command)
        if isinstance(text, str) and (found := FETCHES.match(text)):
            yield _seen(f"fetches {found[1]}", site, f"starts {found[1]}")


def _seen(what: str, site: Site, text: str) -> Seen:
    line = getattr(site.node, "lineno", 0)
    return Seen(f"outside {what}", line, site.scope, Outcome.UNVERIFIED, text, per_file=True)
