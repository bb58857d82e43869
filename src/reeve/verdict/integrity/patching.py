"""Code that reaches into the test framework, the interpreter, or the modules that tests rely on."""

import ast
import re
import sys
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import FRAMEWORKS, Module, Site, folded, words

__all__ = ["patching"]

NEVER = FRAMEWORKS | frozenset(("builtins", "time", "random", "math", "operator", "_operator", "numpy", "difflib"))
"""Modules that no production code has a reason to change."""

MAY_SET = words(
    "sys.stdout sys.stderr sys.stdin sys.argv sys.path sys.excepthook sys.displayhook sys.ps1 sys.ps2 sys.platform "
    "sys.dont_write_bytecode sys.last_type sys.last_value sys.last_traceback sys.tracebacklimit builtins._ "
    "sys.unraisablehook threading.excepthook numpy.random csv.field_size_limit"
)
"""What programs set in modules of the language for their own users."""

STREAMS = ("sys.stdout._", "sys.stderr._", "sys.stdin._")
"""Their own objects: a program marks them."""

HOOKS = words(
    "sys.modules.values sys.modules.items sys.modules.copy "
    "sys.meta_path sys.path_hooks sys.path_importer_cache sys.settrace sys.setprofile sys.monitoring "
    "sys.addaudithook threading.settrace threading.setprofile gc.get_objects gc.get_referrers gc.get_referents "
    "ctypes.pythonapi ctypes.memmove ctypes.memset ctypes.py_object "
    "ctypes.string_at sys._current_frames sys.breakpointhook"
)
FRAMES = words(
    "sys._getframe inspect.stack inspect.currentframe inspect.getouterframes inspect.getinnerframes inspect.trace "
    "traceback.extract_stack traceback.walk_stack"
)
FRAME_PARTS = frozenset(("f_back", "f_locals", "f_globals", "f_code", "tb_frame", "gi_frame", "cr_frame", "f_trace"))
CODE_PARTS = frozenset(("__code__", "__closure__", "cell_contents", "co_code", "co_consts", "__globals__"))
MARKS = frozenset(("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER"))
SERVERS = frozenset(("CI", "TOX_ENV_NAME", "TOX_ENV_DIR", "TOXENV", "NOX_CURRENT_SESSION", "GITHUB_ACTIONS", "TRAVIS"))
ABOUT_TESTS = re.compile(r"(^|[/._-])(testing|pytest|doctest|unittest|hypothesis)", re.IGNORECASE)


def patching(module: Module) -> Iterator[Seen]:
    """Find changes of other modules, hooks of the interpreter, looks at frames, and questions whether tests run."""
    yield from _imports(module)
    yield from _stores(module)
    yield from _mentions(module)
    yield from _asks(module)
    yield from _plugin(module)


def _imports(module: Module) -> Iterator[Seen]:
    about_tests = bool(ABOUT_TESTS.search(module.path))
    said: set[int] = set()  # statements: one that names several things is one import
    for site, name in module.imports:
        root = name.split(".")[0]
        if root == "ctypes" and name == root:
            yield _seen("imports ctypes", site, Outcome.UNVERIFIED, "imports ctypes", per_file=True)
        if root not in FRAMEWORKS or site.main or id(site.node) in said:
            continue
        said.add(id(site.node))
        outcome = Outcome.PASSED if about_tests else Outcome.UNVERIFIED
        yield _seen(
            "imports tests", site, outcome, f"imports the test framework {root} in production code", per_file=True
        )


# ---------------------------------------------------------------- changes of modules


def _stores(module: Module) -> Iterator[Seen]:
    for site in module.sites_of(ast.Attribute, ast.Subscript, ast.Call):
        node = site.node
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield from _set(site, module.dotted(node, site))
            if node.attr in CODE_PARTS:
                text = f"replaces {node.attr} of a function"
                yield _seen(f"code {node.attr}", site, Outcome.FAILED, text)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield from _items(module, site, node)
        elif isinstance(node, ast.Call):
            yield from _calls(module, site, node)


def _set(site: Site, dotted: frozenset[str]) -> Iterator[Seen]:
    for name in sorted(dotted):
        root = name.split(".")[0]
        if name in MAY_SET or name == root or name.startswith(STREAMS) or re.fullmatch(r"builtins\.__\w+__", name):
            continue
        if root in NEVER:
            yield _seen(f"sets {name}", site, Outcome.FAILED, f"changes {name}, which tests rely on")
        elif root in sys.stdlib_module_names:
            yield _seen(f"sets {name}", site, Outcome.UNVERIFIED, f"changes {name} for everybody in the process")


def _items(module: Module, site: Site, node: ast.Subscript) -> Iterator[Seen]:
    target = module.dotted(node.value, site)
    key = folded(node.slice)
    if "sys.modules" in target:
        if _own_name(node.slice):
            return
        known = isinstance(key, str) and key.split(".")[0] in NEVER
        outcome = Outcome.FAILED if known else Outcome.UNVERIFIED
        yield _seen("sys.modules", site, outcome, f"replaces a module in sys.modules ({_shown(key)})")
    yield from _set(site, module.dotted(node, site) - {"sys.modules"} if isinstance(key, str) else frozenset())
    if any(name.endswith("__globals__") for name in target) or _attribute(node.value) == "__globals__":
        yield _seen("globals", site, Outcome.UNVERIFIED, "changes the globals of a function")
    elif _attribute(node.value) in ("f_locals", "f_globals"):
        yield _seen("frame", site, Outcome.FAILED, f"changes {_attribute(node.value)} of a frame")


def _calls(module: Module, site: Site, node: ast.Call) -> Iterator[Seen]:
    called = module.dotted(node.func, site)
    first = node.args[0] if node.args else None
    if called & {"builtins.setattr", "builtins.delattr"} and len(node.args) > 1:
        name = folded(node.args[1])
        attribute = name if isinstance(name, str) else "<computed>"
        yield from _set(site, frozenset(f"{root}.{attribute}" for root in module.dotted(first, site)))
        if isinstance(name, str) and name in CODE_PARTS:
            yield _seen(f"code {name}", site, Outcome.FAILED, f"replaces {name} of a function")
    elif called & {"sys.modules.pop", "sys.modules.setdefault", "sys.modules.update", "sys.modules.clear"}:
        if not _own_name(first):
            text = f"changes sys.modules ({_shown(folded(first))})"
            yield _seen("sys.modules", site, Outcome.UNVERIFIED, text)
    elif any(name.endswith((".__dict__.update", ".__dict__.pop", ".__dict__.setdefault")) for name in called):
        roots = frozenset(name.split(".__dict__.")[0] + ".__dict__" for name in called)
        yield from _set(site, roots)
    elif called & {"types.CodeType", "types.FunctionType"}:
        yield _seen("code", site, Outcome.UNVERIFIED, "makes a function out of code objects", per_file=True)
    elif called & {"unittest.mock.patch", "unittest.mock.patch.object", "mock.patch", "mock.patch.object"}:
        yield _seen("mock", site, Outcome.FAILED, "uses mock.patch in production code")


def _own_name(node: ast.AST | None) -> bool:
    """A module may put something else in its own place: `sys.modules[__name__]`, and what is below it."""
    return any(
        isinstance(each, ast.Name) and each.id in ("__name__", "__package__") for each in ast.walk(node or ast.Pass())
    )


# ---------------------------------------------------------------- interpreter, frames, environment


def _mentions(module: Module) -> Iterator[Seen]:
    for site, dotted in module.mentions:
        if name := min(dotted & HOOKS, default=""):
            yield _seen(f"hook {name}", site, Outcome.UNVERIFIED, f"uses {name}", per_file=True)
        elif name := min(dotted & FRAMES, default=""):
            text = f"looks at who called it ({name})"
            yield _seen("frames", site, Outcome.UNVERIFIED, text, per_file=True)
    for site in module.sites_of(ast.Attribute):
        if isinstance(site.node, ast.Attribute) and site.node.attr in FRAME_PARTS:
            text = f"looks into frames ({site.node.attr})"
            yield _seen("frames", site, Outcome.UNVERIFIED, text, per_file=True)


def _asks(module: Module) -> Iterator[Seen]:
    for site in module.sites_of(ast.Constant, ast.BinOp, ast.Call, ast.JoinedStr, ast.Subscript, ast.Compare):
        node = site.node
        if isinstance(node, ast.Constant | ast.BinOp | ast.Call | ast.JoinedStr | ast.Subscript):
            value = folded(node)
            if isinstance(value, str) and value in MARKS:
                yield _seen("asks pytest", site, Outcome.FAILED, f"asks whether a test is running ({value})")
        if isinstance(node, ast.Compare | ast.Call):
            yield from _asks_modules(module, site, node)
        if isinstance(node, ast.Call | ast.Subscript | ast.Compare):
            yield from _asks_server(module, site, node)


def _asks_modules(module: Module, site: Site, node: ast.Compare | ast.Call) -> Iterator[Seen]:
    """Find `"pytest" in sys.modules`, `sys.modules.get("pytest")`, `"pytest" in sys.argv[0]`, and the like."""
    if isinstance(node, ast.Compare):
        parts: list[ast.expr] = [node.left, *node.comparators]
    else:
        parts = [*node.args, node.func]
    values = [value for value in map(folded, parts) if isinstance(value, str)]
    named = [value for value in values if _names_framework(value) or "test" in value.lower()]
    if not named:
        return
    about = {name for part in parts for each in ast.walk(part) for name in _dotted(module, site, each)}
    if not any(map(_names_framework, named)):  # any word with "test" in it says something about a command line alone
        about &= {"sys.argv", "sys.orig_argv"}
    if about & {"sys.modules", "sys.argv", "sys.orig_argv", "sys.modules.get", "sys.modules.keys"}:
        yield _seen("asks pytest", site, Outcome.FAILED, f"asks whether {named[0]} is running it")
    elif about & {"importlib.util.find_spec", "pkgutil.find_loader"}:
        yield _seen("asks pytest", site, Outcome.UNVERIFIED, f"asks whether {named[0]} is there")


def _asks_server(module: Module, site: Site, node: ast.Call | ast.Subscript | ast.Compare) -> Iterator[Seen]:
    if isinstance(node, ast.Call):
        where, key = module.dotted(node.func, site), node.args[0] if node.args else None
    elif isinstance(node, ast.Subscript):
        where, key = module.dotted(node.value, site), node.slice
    else:
        where, key = module.dotted(node.comparators[0], site), node.left
    if where & {"os.environ", "os.environ.get", "os.getenv", "os.environb"} and (name := folded(key)) in SERVERS:
        text = f"behaves differently on a build server ({name})"
        yield _seen(f"asks {name}", site, Outcome.UNVERIFIED, text, per_file=True)


def _plugin(module: Module) -> Iterator[Seen]:
    """Find hooks and lists of plugins, in a file that was no plugin."""
    if ABOUT_TESTS.search(module.path):
        return
    for site in module.sites_of(ast.FunctionDef, ast.AsyncFunctionDef, ast.Name):
        node = site.node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("pytest_"):
            yield _seen("plugin", site, Outcome.UNVERIFIED, f"defines the pytest hook {node.name}", per_file=True)
        elif isinstance(node, ast.Name) and node.id == "pytest_plugins" and isinstance(node.ctx, ast.Store):
            yield _seen("plugin", site, Outcome.UNVERIFIED, "loads plugins into pytest", per_file=True)


def _names_framework(value: str) -> bool:
    return value.lower().removesuffix(".py") in FRAMEWORKS | {"py.test"} or value.startswith(("pytest.", "_pytest."))


def _dotted(module: Module, site: Site, node: ast.AST) -> frozenset[str]:
    return module.dotted(node, site) if isinstance(node, ast.Name | ast.Attribute | ast.Call) else frozenset()


def _attribute(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ""


def _shown(value: object) -> str:
    return repr(value)[:40] if value is not None else "a computed name"


def _seen(what: str, site: Site, outcome: Outcome, text: str, *, per_file: bool = False) -> Seen:
    return Seen(what, getattr(site.node, "lineno", 0), site.scope, outcome, text, per_file)
