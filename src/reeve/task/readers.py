"""The formats a task can be written in: Markdown with front matter, JSON lines, SWE-bench rows."""

import json
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from reeve.errors import TaskError
from reeve.ports import TaskReader
from reeve.records import Checks, RepoSource, Task
from reeve.task.build import Defaults, Place, build, sealed
from reeve.task.forms import RowForm, SwebenchForm, TaskForm, validated
from reeve.task.located import Located, Unreadable, decode, parse_json_line
from reeve.task.yaml_text import parse_yaml

__all__ = ["JsonlReader", "MarkdownReader", "SwebenchReader", "make_id", "readers", "shown_path"]

MAX_MARKDOWN_BYTES = 2**20
MAX_FRONT_MATTER = 2**18
MAX_JSONL_BYTES = 2**30
FENCE = re.compile(r"---[ \t]*")


def readers(defaults: Defaults) -> tuple[TaskReader, ...]:
    """Return the readers that reeve brings, the more particular first."""
    return (MarkdownReader(defaults), SwebenchReader(defaults), JsonlReader(defaults))


def shown_path(path: Path, root: Path) -> str:
    """Spell a path as a person would: from the project's folder where it is inside."""
    text = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return text if text.isprintable() else repr(text)  # a name with a newline must not make two lines


def make_id(text: str) -> str:
    """Make a valid task id of any text: what is not allowed becomes '-'; at most 100 characters."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_")[:100].rstrip("-_") or "task"


class MarkdownReader:
    """One task a file: YAML front matter between two lines ``---``, and the instruction below."""

    name = "markdown"

    def __init__(self, defaults: Defaults) -> None:
        self.defaults = defaults

    def reads(self, path: Path) -> bool:
        """Say yes to ``*.md``, but to a README only if it begins with front matter."""
        if path.suffix.lower() != ".md" or not path.is_file():
            return False
        if path.stem.lower() != "readme":
            return True
        with path.open("rb") as file:
            return file.read(16).removeprefix(b"\xef\xbb\xbf").startswith(b"---")

    def read(self, path: Path) -> Sequence[Task]:
        """Read the task; a draft gives none."""
        shown = shown_path(path, self.defaults.root)
        try:
            located, body = _front_matter(decode(_content(path, shown, MAX_MARKDOWN_BYTES)))
        except Unreadable as error:
            raise TaskError(error.message, file=shown, line=error.line) from None
        form = validated(TaskForm, located, file=shown, error=TaskError)
        place = Place(shown, path.parent, located)
        if form.draft:
            return ()
        if not body.strip():
            raise place.error((), "the instruction is empty: write below the front matter what is wanted")
        if "\0" in body:
            raise place.error((), "the instruction holds a NUL character")
        identifier = form.id or path.stem
        if make_id(identifier) != identifier:
            raise place.error((), f"id: the file's name {path.name!r} is not a valid id; write the key 'id'")
        return (build(form, identifier, body, place, self.defaults),)


def _front_matter(text: str) -> tuple[Located, str]:
    lines = text.split("\n")
    if not FENCE.fullmatch(lines[0].rstrip("\r")):
        raise Unreadable("no front matter: a task file begins with a line '---', then its keys, then '---'", 1)
    for number, line in enumerate(lines[1:], start=1):
        if FENCE.fullmatch(line.rstrip("\r")):
            front = "\n".join(lines[1:number])
            if len(front) > MAX_FRONT_MATTER:
                raise Unreadable(f"the front matter is larger than {MAX_FRONT_MATTER >> 10} KB", 1)
            found = parse_yaml(front, first_line=2)
            return Located(found.data, found.lines, 1), "\n".join(lines[number + 1 :])
    raise Unreadable("the front matter is not closed: the line '---' after the keys is missing", 1)


class JsonlReader:
    """One task a line: the keys of the front matter, and ``instruction``."""

    name = "jsonl"

    def __init__(self, defaults: Defaults) -> None:
        self.defaults = defaults

    def reads(self, path: Path) -> bool:
        """Say yes to ``*.jsonl``."""
        return path.suffix.lower() == ".jsonl" and path.is_file()

    def read(self, path: Path) -> Sequence[Task]:
        """Read all tasks but drafts."""
        shown = shown_path(path, self.defaults.root)
        tasks = []
        for located in _json_lines(path, shown):
            form = validated(RowForm, located, file=shown, error=TaskError)
            if not form.draft:
                place = Place(shown, path.parent, located)
                tasks.append(build(form, form.id, form.instruction, place, self.defaults))
        return tasks


class SwebenchReader:
    """One SWE-bench instance a line; its repository is a local clone, its tests come as a patch."""

    name = "swebench"

    def __init__(self, defaults: Defaults) -> None:
        self.defaults = defaults

    def reads(self, path: Path) -> bool:
        """Say yes to ``*.jsonl`` whose first row has an ``instance_id``."""
        if path.suffix.lower() != ".jsonl" or not path.is_file():
            return False
        with path.open("rb") as file:
            first = next((line for line in iter(lambda: file.readline(2**24), b"") if line.strip()), b"")
        return b'"instance_id"' in first

    def read(self, path: Path) -> Sequence[Task]:
        """Read all instances."""
        shown = shown_path(path, self.defaults.root)
        return [self._task(located, path, shown) for located in _json_lines(path, shown)]

    def _task(self, located: Located, path: Path, shown: str) -> Task:
        row = validated(SwebenchForm, located, file=shown, error=TaskError)
        place = Place(shown, path.parent, located)
        defaults = self.defaults
        task = Task(
            id=make_id(row.instance_id),
            instruction=row.problem_statement.strip(),
            repo=RepoSource(path=str(self._clone(row.repo, place))),
            base=row.base_commit,
            checks=Checks(
                required=_test_ids(row.FAIL_TO_PASS, "FAIL_TO_PASS", place),
                keep=_test_ids(row.PASS_TO_PASS, "PASS_TO_PASS", place),
                test_patch=row.test_patch or None,
            ),
            protected=defaults.protected,
            attempts=defaults.attempts,
            agents=defaults.agents,
            limits=defaults.limits,
            tags=("swebench",),
            setup=defaults.setup,
            env=dict(defaults.env),
            source=f"{shown}:{located.first_line}",
        )
        return sealed(task, defaults.root)

    def _clone(self, repo: str, place: Place) -> Path:
        owner, name = repo.split("/")
        named = self.defaults.swebench_repos.get(repo)
        candidates = [self.defaults.root / Path(named).expanduser()] if named else []
        for folder in filter(None, (self.defaults.repo_root, place.folder)):
            candidates += [folder / owner / name, folder / f"{owner}__{name}", folder / name]
        for candidate in candidates:
            if (candidate / ".git").exists() or (candidate / "HEAD").is_file():
                return candidate.resolve()
        looked = ", ".join(str(candidate) for candidate in candidates)
        raise place.error(
            (),
            f"repo: no local clone of {repo!r}; clone it beside this file as {owner}__{name}, "
            f"or name its folder in reeve.toml under [swebench_repos] (looked at {looked})",
        )


def _test_ids(value: list[str] | str, key: str, place: Place) -> tuple[str, ...]:
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value or "[]")
        except ValueError:
            raise place.error((), f"{key}: must be a list, or a list written as JSON") from None
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise place.error((), f"{key}: must be a list of test ids")
    bad = next((each for each in found if each.startswith("-") or "\0" in each), None)
    if bad is not None:
        raise place.error((), f"{key}: not a test id: {bad!r}")
    return tuple(dict.fromkeys(found))


def _json_lines(path: Path, shown: str) -> Iterator[Located]:
    # Split on the bytes of newlines alone: str.splitlines would also break inside strings, at U+2028 and others.
    for number, line in enumerate(_content(path, shown, MAX_JSONL_BYTES).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield parse_json_line(decode(line), line=number)
        except Unreadable as error:
            raise TaskError(error.message, file=shown, line=number) from None


def _content(path: Path, shown: str, limit_bytes: int) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise TaskError("not a file", file=shown, line=1)
        if found.st_size > limit_bytes:
            raise TaskError(f"larger than {limit_bytes >> 20} MB", file=shown, line=1)
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"cannot be read: {error.strerror}", file=shown, line=1) from None
