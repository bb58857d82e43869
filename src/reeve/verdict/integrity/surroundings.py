"""Code that recognises where it is examined: by user, folder, switches of the interpreter, or the day.

Programs ask for their surroundings all the time. What they do not do is to compare them with a constant that only one
place in the world has; that is what is looked for.
"""

import ast
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import Module, Site, folded, words

__all__ = ["surroundings"]

PLACES = words(
    "os.getcwd os.getcwdb os.getlogin getpass.getuser socket.gethostname platform.node os.uname pathlib.Path.cwd "
    "os.getuid os.geteuid os.getgid os.getegid os.getpid os.getppid os.cpu_count"
)
CLOCKS = words("time.time time.time_ns datetime.datetime.now datetime.datetime.utcnow datetime.date.today")
DATES = words("datetime.datetime datetime.date datetime.datetime.fromisoformat datetime.date.fromisoformat")
SWITCHES = words(
    "sys.dont_write_bytecode sys.flags.dont_write_bytecode sys.flags.hash_randomization sys.flags.isolated "
    "sys.flags.no_user_site sys.flags.no_site sys.flags.safe_path sys.flags.ignore_environment"
)
STREAMS = words("sys.stdout sys.stderr sys.stdin sys.__stdout__ sys.__stderr__")
VARIABLES = ("PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONNOUSERSITE")
READS = words(
    "builtins.open io.open pathlib.Path pathlib.PurePath pathlib.PosixPath os.path.exists os.path.lexists "
    "os.path.isdir os.path.isfile os.path.ismount os.path.islink os.access os.listdir os.scandir os.readlink os.stat "
    "os.lstat os.statvfs os.open glob.glob glob.iglob"
)
SANDBOX = ("/reeve", "/work", "/env", "/out")  # what is mounted where results are examined
EPOCH_SECONDS = 10**9  # a constant above it is a day


def surroundings(module: Module) -> Iterator[Seen]:
    """Find comparisons of the surroundings with constants, and questions that only an examined program would ask."""
    for site in module.sites_of(ast.Compare, ast.Call, ast.Attribute, ast.Constant):
        node = site.node
        if site.main:
            continue
        if isinstance(node, ast.Compare):
            yield from _compared(module, site, node)
        elif isinstance(node, ast.Call):
            yield from _called(module, site, node)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            if name := min(module.dotted(node, site) & SWITCHES, default=""):
                yield _seen(site, "switch", f"asks how the interpreter was started ({name})")
        elif isinstance(node, ast.Constant) and node.value in VARIABLES:
            yield _seen(site, "switch", f"asks how the interpreter was started ({node.value})")


def _compared(module: Module, site: Site, node: ast.Compare) -> Iterator[Seen]:
    sides = [node.left, *node.comparators]
    about = {name for side in sides for name in _asked(module, site, side)}
    constants = [value for side in sides for value in _constants(side)]
    telling = [value for value in constants if value not in (0, 1, "", "/", ".", "root")]
    if (name := min(about & PLACES, default="")) and telling:
        yield _seen(site, f"place {name}", f"compares {name}() with {telling[0]!r}"[:100])
    elif "sys.modules" in about and any(_calls_len(side) for side in sides) and telling:
        yield _seen(site, "modules", "asks how many modules are loaded")
    elif (name := min(about & CLOCKS, default="")) and (_dates(module, site, sides) or _days(constants)):
        yield _seen(site, "day", f"behaves differently from some day on ({name})")


def _called(module: Module, site: Site, node: ast.Call) -> Iterator[Seen]:
    called = module.dotted(node.func, site)
    first = node.args[0] if node.args else None
    if called & {"builtins.type"} and module.dotted(first, site) & STREAMS:
        yield _seen(site, "streams", "asks what kind of thing its output goes to")
    elif called & READS and isinstance(path := folded(first), str):
        if path.startswith("/proc/"):
            yield _seen(site, "proc", f"asks the system about itself ({path[:40]})")
        elif path.startswith("/") and "/".join(path.split("/")[:2]) in SANDBOX:
            yield _seen(site, "sandbox", f"looks for the place where it is examined ({path[:40]})")


def _asked(module: Module, site: Site, side: ast.expr) -> Iterator[str]:
    for each in ast.walk(side):
        if isinstance(each, ast.Call):
            yield from module.dotted(each.func, site)
            yield from (name for arg in each.args for name in module.dotted(arg, site))


def _constants(side: ast.expr) -> list[str | bytes | int | float]:
    parts = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
    return [value for part in parts if (value := folded(part)) is not None]


def _days(constants: list[str | bytes | int | float]) -> bool:
    return any(isinstance(value, int | float) and value > EPOCH_SECONDS for value in constants)


def _dates(module: Module, site: Site, sides: list[ast.expr]) -> bool:
    """Say whether a side is a date that is written out."""
    return any(
        isinstance(side, ast.Call)
        and bool(module.dotted(side.func, site) & DATES)
        and any(folded(arg) is not None for arg in side.args)
        for side in sides
    )


def _calls_len(side: ast.expr) -> bool:
    return isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "len"


def _seen(site: Site, what: str, text: str) -> Seen:
    line = getattr(site.node, "lineno", 0)
    return Seen(f"surroundings {what}", line, site.scope, Outcome.UNVERIFIED, text, per_file=True)
