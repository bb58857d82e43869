"""Code that ends the process: a run of tests that dies early reports no failure."""

import ast
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import Module, Site, words

__all__ = ["exits"]

AT_ONCE = frozenset(("os._exit", "os.abort", "posix._exit", "posix.abort", "faulthandler._sigsegv", "pytest.exit"))
POLITE = frozenset(("sys.exit", "builtins.exit", "builtins.quit"))
RAISED = frozenset(("builtins.SystemExit", "builtins.KeyboardInterrupt"))
LATER = frozenset(("atexit.register", "atexit._run_exitfuncs", "atexit.unregister", "atexit._clear"))
SIGNALS = words(
    "signal.signal signal.alarm signal.setitimer signal.raise_signal signal.pthread_kill _thread.interrupt_main "
    "faulthandler.dump_traceback_later threading._shutdown threading._register_atexit"
)


def exits(module: Module) -> Iterator[Seen]:
    """Find process exits, signals sent to oneself, and what is left to run when the process ends."""
    forks = bool(module.known & {"os.fork", "os.forkpty", "pty.fork", "os.execv", "os.execvp", "os.execve"})
    for site, dotted in module.mentions:
        line = getattr(site.node, "lineno", 0)
        when = "when it is imported" if site.at_import else ""
        if name := min(dotted & AT_ONCE, default=""):
            honest = (forks or module.command_line) and not site.at_import
            outcome = Outcome.UNVERIFIED if honest else Outcome.FAILED
            yield Seen(f"ends {name} {when}", line, site.scope, outcome, _said(f"ends the process ({name})", when))
        elif (name := min(dotted & POLITE, default="")) and not site.main and _stops(module, site):
            text = _said(f"ends the process ({name})", when)
            yield Seen(f"ends politely {when}", line, site.scope, Outcome.UNVERIFIED, text)
        elif name := min(dotted & LATER, default=""):
            text = f"leaves something to run when the process ends ({name})"
            yield Seen(f"later {name}", line, site.scope, Outcome.UNVERIFIED, text, per_file=True)
        elif name := min(dotted & SIGNALS, default=""):
            yield Seen(f"signal {name}", line, site.scope, Outcome.UNVERIFIED, f"uses {name}", per_file=True)
    yield from _by_node(module)


def _by_node(module: Module) -> Iterator[Seen]:
    for site in module.sites_of(ast.Raise, ast.Call):
        node = site.node
        if isinstance(node, ast.Raise) and not site.main:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = min(module.dotted(raised, site) & RAISED, default="")
            if name and _stops(module, site):
                when = "when it is imported" if site.at_import else ""
                text = _said(f"raises {name.removeprefix('builtins.')}", when)
                yield Seen(f"ends politely {when}", node.lineno, site.scope, Outcome.UNVERIFIED, text)
        elif isinstance(node, ast.Call) and module.dotted(node.func, site) & {"os.kill", "os.killpg", "os.tgkill"}:
            itself = _itself(module, site, node)
            outcome = Outcome.FAILED if itself else Outcome.UNVERIFIED
            text = "sends a signal to its own process" if itself else "sends a signal to a process"
            yield Seen(f"kill {itself}", node.lineno, site.scope, outcome, text, per_file=not itself)


def _stops(module: Module, site: Site) -> bool:
    """A command-line program may end itself, and anything may where it cannot be imported at all."""
    if site.at_import:
        return not (site.handling or module.command_line)
    return not module.command_line


def _itself(module: Module, site: Site, call: ast.Call) -> bool:
    whom = call.args[0] if call.args else None
    if isinstance(whom, ast.Constant):
        return whom.value in (0, -1)
    return isinstance(whom, ast.Call) and bool(
        module.dotted(whom.func, site) & {"os.getpid", "os.getpgrp", "os.getpgid", "os.getppid"}
    )


def _said(text: str, when: str) -> str:
    return f"{text} {when}" if when else text
