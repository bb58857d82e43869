"""From what a person wrote to the Task record: defaults put in, files read, the digest taken."""

import hashlib
import json
import stat
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reeve.errors import TaskError
from reeve.ports import TaskReader
from reeve.records import Checks, CommandCheck, HiddenFile, Limits, RepoSource, Runner, Task
from reeve.task.located import KeyPath, Located, nearest

if TYPE_CHECKING:  # commands that only look at the ledger start without pydantic
    from reeve.task.forms import ChecksForm, TaskForm

__all__ = ["Defaults", "Place", "build", "digest_of", "sealed", "top_of_repository"]

BOUNDS = ("at_least", "at_most", "higher_by", "lower_by")
MAX_HIDDEN_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a task gets where its file is silent.

    `root` is the project's folder; `repo` the git repository of a task that names none. `known_agents` None
    means that the names of agents are not checked. `swebench_repos` maps ``owner/name`` to local clones;
    further ones are looked for in `repo_root` and beside the file with the rows.
    """

    root: Path
    repo: Path
    attempts: int = 2
    agents: tuple[str, ...] = ("repair",)
    limits: Limits = field(default_factory=Limits)
    protected: tuple[str, ...] = ()
    setup: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    known_agents: Collection[str] | None = None
    swebench_repos: Mapping[str, str] = field(default_factory=dict)
    repo_root: Path | None = None
    further: tuple[TaskReader, ...] = field(default=(), repr=False, compare=False)  # that installed packages bring


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task was written: the file as it is shown to a person, its folder, and the lines of its keys."""

    shown: str
    folder: Path
    located: Located

    def error(self, path: KeyPath, message: str) -> TaskError:
        """Make the error for a key."""
        return TaskError(message, file=self.shown, line=self.located.line(path))


def top_of_repository(folder: Path) -> Path | None:
    """Return the top of the git repository that holds `folder`, by looking alone (git is not run); None: none does."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
        if (candidate / "HEAD").is_file() and (candidate / "objects").is_dir():
            return candidate  # a bare repository
    return None


def build(form: "TaskForm", identifier: str, instruction: str, place: Place, defaults: Defaults) -> Task:
    """Make the record of one task; raises TaskError for a file or folder that is not there."""
    task = Task(
        id=identifier,
        instruction=instruction.strip(),
        repo=_repo(form, place, defaults),
        base=form.base,
        checks=_checks(form.checks, place),
        protected=tuple(dict.fromkeys((*defaults.protected, *form.protected))),
        may_change=tuple(dict.fromkeys(form.may_change)),
        only_needed=form.only_needed,
        attempts=form.attempts or defaults.attempts,
        agents=_agents(form, place, defaults),
        limits=form.limits.over(defaults.limits),
        human_minutes=form.human_minutes,
        tags=tuple(form.tags),
        setup=form.setup or defaults.setup,
        env={**defaults.env, **form.env},
        source=f"{place.shown}:{place.located.first_line}",
    )
    return sealed(task, defaults.root)


def sealed(task: Task, root: Path) -> Task:
    """Return the task with the digest of its content."""
    return replace(task, digest=digest_of(task, root))


def digest_of(task: Task, root: Path) -> str:
    """Return the SHA-256 of everything that a task asks for, its place left out.

    Repositories below `root` count by their place in it, so that a project that was moved keeps its tasks.
    """
    content = asdict(task)
    del content["source"], content["digest"]
    if task.repo.path is not None and Path(task.repo.path).is_relative_to(root):
        content["repo"]["path"] = Path(task.repo.path).relative_to(root).as_posix()
    files = [*zip(content["checks"]["hidden"], task.checks.hidden, strict=True)]
    for hidden, record in [*files, *zip(content["planted"], task.planted, strict=True)]:
        hidden["content"] = hashlib.sha256(record.content).hexdigest()
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _repo(form: "TaskForm", place: Place, defaults: Defaults) -> RepoSource:
    if form.repo is not None and not isinstance(form.repo, str):
        return RepoSource(archive=form.repo.archive, sha256=form.repo.sha256)
    folder = defaults.repo if form.repo is None else (place.folder / Path(form.repo).expanduser()).resolve()
    if not folder.is_dir():
        raise place.error(("repo",), f"repo: no such folder: {form.repo or str(folder)!r}")
    top = top_of_repository(folder)
    if top is None:
        raise place.error(("repo",), f"repo: not a git repository: {form.repo or str(folder)!r}")
    if top != folder:
        raise place.error(("repo",), f"repo: {form.repo!r} is only a folder of the repository {str(top)!r}; name that")
    return RepoSource(path=str(folder))


def _agents(form: "TaskForm", place: Place, defaults: Defaults) -> tuple[str, ...]:
    names = tuple(form.agents or defaults.agents)
    known = defaults.known_agents
    for index, name in enumerate(names):
        if known is not None and name not in known:
            listed = nearest(name, sorted(known)) or f"; known are {', '.join(sorted(known))}"
            raise place.error(("agents", index), f"agents: no agent is named {name!r}{listed}")
    return names


def _checks(form: "ChecksForm", place: Place) -> Checks:
    runner = Runner(form.runner)
    for key in ("test_command", "report"):
        if runner is Runner.JUNIT and getattr(form, key) is None:
            raise place.error(("checks", "runner"), f"checks.runner: junit needs the key 'checks.{key}'")
        if runner is Runner.PYTEST and getattr(form, key) is not None:
            raise place.error(("checks", key), f"checks.{key}: is for 'runner: junit' only")
    if runner is Runner.JUNIT and form.pytest_args:
        raise place.error(("checks", "pytest_args"), "checks.pytest_args: is for 'runner: pytest' only")
    return Checks(
        required=tuple(dict.fromkeys(form.required)),
        keep=tuple(dict.fromkeys(form.keep)),
        commands=_commands(form, place),
        hidden=tuple(
            HiddenFile(each.path, _hidden_content(each.file, place, index)) for index, each in enumerate(form.hidden)
        ),
        runner=runner,
        test_command=form.test_command,
        report=form.report,
        pytest_args=tuple(form.pytest_args),
    )


def _commands(form: "ChecksForm", place: Place) -> tuple[CommandCheck, ...]:
    found: dict[str, CommandCheck] = {}
    for index, each in enumerate(form.commands):
        key: KeyPath = ("checks", "commands", index)
        bounds = [name for name in BOUNDS if getattr(each, name) is not None]
        if bounds and each.reads is None:
            raise place.error((*key, bounds[0]), f"checks.commands[{index}]: {bounds[0]!r} needs the key 'reads'")
        if each.reads is not None and not bounds:
            raise place.error((*key, "reads"), f"checks.commands[{index}]: 'reads' needs one of {', '.join(BOUNDS)}")
        check = CommandCheck(**each.model_dump())
        if check.name in found:
            raise place.error(key, f"checks.commands[{index}]: the same command stands there twice")
        found[check.name] = check
    return tuple(found.values())


def _hidden_content(name: str, place: Place, index: int) -> bytes:
    key: KeyPath = ("checks", "hidden", index, "file")
    spelled = f"checks.hidden[{index}].file"
    path = place.folder / Path(name).expanduser()
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise place.error(key, f"{spelled}: not a file: {name!r}")
        if found.st_size > MAX_HIDDEN_BYTES:
            raise place.error(key, f"{spelled}: larger than {MAX_HIDDEN_BYTES >> 20} MB: {name!r}")
        return path.read_bytes()
    except FileNotFoundError:
        raise place.error(key, f"{spelled}: no such file: {name!r}") from None
    except OSError as error:
        raise place.error(key, f"{spelled}: cannot read {name!r}: {error.strerror}") from None
