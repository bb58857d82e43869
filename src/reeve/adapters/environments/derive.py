"""How a Python project is set up, read from its own files without running any of its code."""

import ast
import configparser
import hashlib
import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from configparser import RawConfigParser
from dataclasses import dataclass
from typing import Any

from reeve.adapters.environments.files import SetupFiles

__all__ = ["SetupPlan", "derive", "fits_python"]

LOCKS = ("requirements.lock", "requirements.txt")
FURTHER = (
    "requirements-dev.txt",
    "requirements_dev.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "requirements_test.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
    "requirements/tests.txt",
    "requirements/testing.txt",
)
EXTRAS = ("test", "tests", "testing", "dev")
"""The first of these that a project has is installed, as extra and as dependency group."""
INPUTS = (
    *LOCKS,
    *FURTHER,
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "MANIFEST.in",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "meson.build",
    "CMakeLists.txt",
    "Cargo.toml",
)
QUIET = ("-r", "-e", "-q", "-U", "--quiet", "--upgrade", "--no-input")
NAME = re.compile(r"\w[\w.+-]*(?<!\.whl)(?<!\.gz)(?<!\.zip)(\[[\w,.-]+\])?([<>=!~]=?[\w.*,<>=!~ ]+)?")
IN_PLACE = re.compile(r"\.(\[[\w,.-]+\])?")
COMPILED = (".c", ".cc", ".cpp", ".pyx", ".pxd", ".rs", ".f90", ".i")


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """The commands of a set-up, in their order, and the digest of everything in the tree that they depend on.

    `requires_python` is what the project asks of the interpreter; empty: nothing. `needs_tree` is false where only
    named packages are installed: such an environment serves every project.
    """

    commands: tuple[str, ...]
    inputs: str
    requires_python: str = ""
    needs_tree: bool = True


def derive(files: SetupFiles, tree: str, setup: str | None, *, with_pytest: bool = False) -> SetupPlan:
    """Plan the set-up of the project in a tree; `setup` is the owner's own command and replaces what is derived.

    Derived, in this order: the requirements files (a lock file before `requirements.txt`), then the project itself,
    editable, with its test extra and its test dependency group; else nothing. `with_pytest` has pytest resolved
    together with these.
    """
    project = _toml(files.read("pyproject.toml"))
    config = _config(files.read("setup.cfg"))
    python = str(project.get("project", {}).get("requires-python", ""))
    python = python or config.get("options", "python_requires", fallback="").strip()
    found = {name: files.read(name) for name in INPUTS}
    known = {name: content for name, content in found.items() if content is not None}
    if setup is not None and _names_only(setup) and not {"-r", "-e"} & set(setup.split()):
        return SetupPlan((setup,), _digest({"": setup.encode()}), python, needs_tree=False)
    commands = (setup,) if setup is not None else _derived(project, config, known, with_pytest=with_pytest)
    parts = [*commands, _digest(known), *_layout(files)]
    # What is compiled, and what a command of one's own may do, can depend on anything of the tree.
    if files.any_suffix(COMPILED) or (setup is not None and not _names_only(setup)):
        parts.append(tree)
    return SetupPlan(commands, _digest({"": "\n".join(parts).encode()}), python)


def _derived(
    project: Mapping[str, Any], config: RawConfigParser, known: Mapping[str, bytes], *, with_pytest: bool
) -> tuple[str, ...]:
    arguments: list[str] = []
    for name in [*(lock for lock in LOCKS if lock in known)][:1] + [name for name in FURTHER if name in known]:
        arguments += ["-r", name]
    commands = []
    installable = "setup.py" in known or any(key in project for key in ("project", "build-system"))
    installable = installable or bool(config.get("metadata", "name", fallback="").strip())
    if installable or "poetry" in project.get("tool", {}):
        extra = _first(_extras(project, config, known))
        arguments += ["-e", f".[{extra}]" if extra else "."]
    arguments += _group(project)
    if with_pytest and "pytest" not in arguments:
        arguments.append("pytest")
    if arguments:
        commands.append(f"python -m pip install {shlex.join(arguments)}")
    return tuple(commands)


def _names_only(setup: str) -> bool:
    """Say whether a command only installs named packages, known requirements files and the project in place."""
    return all(_installs_names(line) for line in re.split(r"&&|\n", setup) if line.strip())


def _installs_names(line: str) -> bool:
    try:
        words = shlex.split(line)
    except ValueError:
        return False
    words = words[2:] if words[:2] in (["python", "-m"], ["python3", "-m"]) else words
    if words[:2] not in (["pip", "install"], ["pip3", "install"]):
        return False
    option = ""
    for word in words[2:]:
        fits = {"-r": word in INPUTS, "-e": IN_PLACE.fullmatch(word)}.get(option, word in QUIET or NAME.fullmatch(word))
        if not fits:
            return False
        option = word if word in ("-r", "-e") else ""
    return True


def _extras(project: Mapping[str, Any], config: RawConfigParser, known: Mapping[str, bytes]) -> set[str]:
    found = set(project.get("project", {}).get("optional-dependencies", {}))
    found |= set(project.get("tool", {}).get("poetry", {}).get("extras", {}))
    if config.has_section("options.extras_require"):
        found |= set(config.options("options.extras_require"))
    return found | _extras_of_script(known.get("setup.py", b""))


def _extras_of_script(script: bytes) -> set[str]:
    """Read the names in `extras_require={...}` of a setup.py, where they are written out."""
    try:
        tree = ast.parse(script)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        named = isinstance(node, ast.keyword) and node.arg == "extras_require"
        if isinstance(node, ast.Assign):
            named = any(isinstance(target, ast.Name) and "extras" in target.id.lower() for target in node.targets)
        if named and isinstance(value := node.value, ast.Dict):  # type: ignore[attr-defined]
            found |= {str(key.value) for key in value.keys if isinstance(key, ast.Constant)}
    return found


def _group(project: Mapping[str, Any]) -> list[str]:
    """Spell out the test dependency group: pip learned to read groups late."""
    groups = project.get("dependency-groups", {})
    poetry = {
        name: [package for package in body.get("dependencies", {}) if package != "python"]
        for name, body in project.get("tool", {}).get("poetry", {}).get("group", {}).items()
        if isinstance(body, dict)
    }
    name = _first(set(groups)) or _first(set(poetry))
    return _spelt(groups, name, ()) if name in groups else poetry.get(name, [])


def _spelt(groups: Mapping[str, Any], name: str, inside: tuple[str, ...]) -> list[str]:
    if name in inside:
        return []
    found: list[str] = []
    for entry in groups.get(name, []):
        if isinstance(entry, str):
            found.append(entry)
        elif isinstance(entry, dict) and "include-group" in entry:
            found += _spelt(groups, str(entry["include-group"]), (*inside, name))
    return list(dict.fromkeys(found))


def _first(names: Iterable[str]) -> str:
    names = set(names)
    return next((name for name in EXTRAS if name in names), "")


def _layout(files: SetupFiles) -> list[str]:
    """Name the top-level packages and modules: an editable installation remembers them."""
    return [
        f"{folder}/{name}"
        for folder in ("", "src")
        for name, is_folder in files.names(folder)
        if name.endswith(".py") or (is_folder and not name.startswith("."))
    ]


def fits_python(requires: str, version: tuple[int, int, int]) -> bool:
    """Say whether an interpreter satisfies `requires-python`; a clause that is not understood does not object."""
    return all(_holds(clause.strip(), version) for clause in requires.split(",") if clause.strip())


def _holds(clause: str, version: tuple[int, int, int]) -> bool:
    match = re.fullmatch(r"(>=|<=|==|!=|~=|>|<)\s*(\d+(?:\.\d+){0,2})(\.\*)?.*", clause)
    if match is None:
        return True
    sign, number, star = match[1], tuple(int(part) for part in match[2].split(".")), match[3]
    padded = (*number, 0, 0)[:3]
    same = version[: len(number)] == number if star or sign == "~=" else version == padded
    if sign == "~=":
        return version >= padded and version[: len(number) - 1] == number[:-1]
    return {
        ">=": version >= padded,
        "<=": version <= padded,
        "==": same,
        "!=": not same,
        ">": version > padded,
        "<": version < padded,
    }[sign]


def _digest(parts: Mapping[str, bytes]) -> str:
    body = b"\0".join(f"{name}:{len(content)}:".encode() + content for name, content in sorted(parts.items()))
    return hashlib.sha256(body).hexdigest()


def _toml(content: bytes | None) -> dict[str, Any]:
    try:
        return tomllib.loads((content or b"").decode())
    except (ValueError, RecursionError):
        return {}


def _config(content: bytes | None) -> RawConfigParser:
    parser = RawConfigParser()
    try:
        parser.read_string((content or b"").decode())
    except (configparser.Error, ValueError):
        return RawConfigParser()
    return parser
