"""What a person may write: the models at the border, and errors that name key, file and line."""

import posixpath
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic.functional_validators import AfterValidator
from pydantic_core import ErrorDetails

from reeve.errors import LocatedError
from reeve.records import ID, Limits
from reeve.task.located import KeyPath, Located, nearest

__all__ = ["Form", "LimitsForm", "Names", "RowForm", "SwebenchForm", "TaskForm", "validated"]

Model = TypeVar("Model", bound=BaseModel)


# ---------------------------------------------------------------- kinds of values


def _plain(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold a NUL character")
    if not value.strip():
        raise ValueError("must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return value


def _task_id(value: str) -> str:
    if not ID.fullmatch(value):
        raise ValueError(
            f"must be 1 to 100 letters, digits, '-' or '_', beginning with a letter or digit, not {value!r}"
        )
    return value


def _test_id(value: str) -> str:
    # Ids become arguments of the test runner; one that begins with a dash would be an option.
    if value.startswith("-"):
        raise ValueError(f"a test id must not begin with '-', found {value!r}")
    return value


def _tree_path(value: str) -> str:
    parts = value.split("/")
    if value.startswith("/") or "\\" in value:
        raise ValueError(f"must be a path relative to the tree, written with '/', found {value!r}")
    if ".." in parts or any(part.lower() == ".git" for part in parts):
        raise ValueError(f"must stay inside the tree and out of .git, found {value!r}")
    return value


def _tree_file(value: str) -> str:
    path = posixpath.normpath(_tree_path(value))
    if path == ".":
        raise ValueError(f"must be a file in the tree, found {value!r}")
    return path


def _pattern_of_a_number(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"must have exactly one group, around the number, found {groups} in {value!r}")
    return value


def _variables(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is not the name of a variable")
        if name.startswith("REEVE_"):
            raise ValueError(f"{name!r}: names that begin with REEVE_ are reeve's own")
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _not_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold a NUL character")
    return value


Text = Annotated[str, AfterValidator(_plain)]
TaskId = Annotated[str, AfterValidator(_task_id)]
TestIds = Annotated[list[Annotated[Text, AfterValidator(_test_id)]], BeforeValidator(_listed)]
TreePath = Annotated[Text, AfterValidator(_tree_path)]
TreePaths = Annotated[list[TreePath], BeforeValidator(_listed)]
Names = Annotated[list[Text], BeforeValidator(_listed)]
Variables = Annotated[dict[str, Annotated[str, AfterValidator(_not_nul)]], AfterValidator(_variables)]
Positive = Annotated[float, Field(gt=0, le=1e9)]
Count = Annotated[int, Field(gt=0, le=10**9)]


# ---------------------------------------------------------------- the models


class Form(BaseModel):
    """Something a person writes: no coercion, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class ArchiveForm(Form):
    """A source archive of the package index."""

    archive: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9._+!-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _repo_kind(value: Any) -> str:
    return "<archive>" if isinstance(value, dict) else "<path>"


RepoForm = Annotated[
    Annotated[Text, Tag("<path>")] | Annotated[ArchiveForm, Tag("<archive>")], Discriminator(_repo_kind)
]


class CommandForm(Form):
    """A command check; the bounds are for the number that `reads` finds."""

    command: Text
    timeout_seconds: Positive | None = None
    status: Annotated[int, Field(ge=0, le=255)] = 0
    reads: Annotated[Text, AfterValidator(_pattern_of_a_number)] | None = None
    at_least: float | None = None
    at_most: float | None = None
    higher_by: float | None = None
    lower_by: float | None = None


class HiddenForm(Form):
    """A file that is laid over the tree only when it is checked."""

    path: Annotated[Text, AfterValidator(_tree_file)]
    file: Text


def _command(value: Any) -> Any:
    return {"command": value} if isinstance(value, str) else value


class ChecksForm(Form):
    """How the result is measured."""

    required: TestIds = []
    keep: TestIds = []
    commands: list[Annotated[CommandForm, BeforeValidator(_command)]] = []
    hidden: list[HiddenForm] = []
    runner: Literal["pytest", "junit"] = "pytest"
    test_command: Text | None = None
    report: TreePath | None = None
    pytest_args: Names = []


class LimitsForm(Form):
    """What one attempt, and one run of the checks, may cost; what is not written keeps its default."""

    wall_seconds: Positive | None = None
    check_seconds: Positive | None = None
    memory_mb: Count | None = None
    disk_mb: Count | None = None
    processes: Count | None = None
    output_mb: Count | None = None
    tokens: Count | None = None
    usd: Positive | None = None
    idle_seconds: Positive | None = None

    def over(self, limits: Limits) -> Limits:
        """Return `limits` with what was written in their place."""
        written = {name: value for name, value in self.model_dump().items() if value is not None}
        kept = {name: getattr(limits, name) for name in type(self).model_fields}
        return Limits(**(kept | written))


class TaskForm(Form):
    """The front matter of a task."""

    id: TaskId | None = None
    repo: RepoForm | None = None
    base: Text = "HEAD"
    checks: ChecksForm = ChecksForm()
    protected: TreePaths = []
    may_change: TreePaths = []
    only_needed: bool = False
    attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    agents: Annotated[Names, Field(min_length=1)] | None = None
    limits: LimitsForm = LimitsForm()
    human_minutes: Positive | None = None
    tags: Names = []
    setup: Text | None = None
    env: Variables = {}
    draft: bool = False


class RowForm(TaskForm):
    """One line of a JSONL backlog: the front matter, and the instruction with it."""

    id: TaskId
    instruction: Text


class SwebenchForm(BaseModel):
    """One SWE-bench instance; keys that do not bear on the work (the reference patch, hints) are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True)

    instance_id: Text
    repo: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    base_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
    problem_statement: Text
    test_patch: str = ""
    FAIL_TO_PASS: list[Text] | str = []
    PASS_TO_PASS: list[Text] | str = []


# ---------------------------------------------------------------- errors with their place


def validated(form: type[Model], located: Located, *, file: str, error: type[LocatedError]) -> Model:
    """Validate located data; raises `error` for the first problem in the order of the lines."""
    try:
        return form.model_validate(located.data)
    except ValidationError as caught:
        problems = [(located.line(path), path, details) for details in caught.errors() for path in [_path(details)]]
        line, path, details = min(problems, key=lambda problem: (problem[0], problem[2]["type"] == "missing"))
        raise error(_message(form, path, details), file=file, line=line) from None


def _path(details: ErrorDetails) -> KeyPath:
    return tuple(part for part in details["loc"] if not (isinstance(part, str) and part.startswith(("<", "[key]"))))


_WANTED: Mapping[str, str] = {
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "greater_than": "must be greater than {gt:g}",
    "less_than": "must be less than {lt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must look like {pattern}",
    "too_short": "must not be empty",
}


def _message(form: type[BaseModel], path: KeyPath, details: ErrorDetails) -> str:
    kind, name = details["type"], _spelled(path)
    if kind == "extra_forbidden":
        known = _known_keys(form, path[:-1])
        listed = nearest(str(path[-1]), known) or f"; known are {', '.join(known)}"
        return f"unknown key {name!r}{listed}"
    if kind == "missing":
        parent = _spelled(path[:-1])
        return f"{parent + ': ' if parent else ''}the key {str(path[-1])!r} is missing"
    if kind == "value_error":
        return f"{name}: {details['ctx']['error']}"
    wanted = _WANTED.get(kind, details["msg"]).format(**details.get("ctx", {}))
    quoted = "; put it in quotes" if kind == "string_type" and not isinstance(details["input"], list | dict) else ""
    return f"{name}: {wanted}, found {_shown(details['input'])}{quoted}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _spelled(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _known_keys(form: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys of the model at a path, found by walking the annotations."""
    model = form
    for part in path:
        if isinstance(part, str) and part in model.model_fields:  # else it is a name that the person chose
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if found := _model_in(inner):
            return found
    return None
