"""The house plan: eight names in one order everywhere, the import rule, pinned public names, imports that do no work."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "reeve"
STAGES = ("task", "attempt", "verdict", "selection", "decision", "landing", "ledger", "policy")

# What each part may import of the rest; a part may always import itself.
WORDS = {"records", "errors", "units", "globs"}
BELOW_STAGES = WORDS | {"ports", "stats"}
MAY_IMPORT = {
    "records": {"errors", "units"},
    "errors": set(),
    "units": set(),
    "globs": set(),
    "ports": WORDS,
    "stats": WORDS,
    "registry": BELOW_STAGES,
    **dict.fromkeys(STAGES, BELOW_STAGES),
    "settings": {*BELOW_STAGES, *STAGES, "registry", "settings_form"},
    "settings_form": {*BELOW_STAGES, *STAGES},
    "durable": {*BELOW_STAGES, *STAGES},
    "adapters": {*BELOW_STAGES, *STAGES, "registry"},
    "flow": {*BELOW_STAGES, *STAGES, "durable"},
    "cli": {*BELOW_STAGES, *STAGES, "settings", "registry", "durable", "flow", "web"},
    "web": {*BELOW_STAGES, *STAGES, "settings", "flow"},
}
CHOOSES_ADAPTERS = {
    "cli/agents.py",
    "cli/doctor.py",
    "cli/doors.py",
    "cli/drill_parts.py",
    "cli/figures.py",
    "cli/playback.py",
    "cli/serve.py",
    "cli/start.py",
}

ALONE = (
    SOURCE / "adapters" / "agents" / "acp",
    SOURCE / "adapters" / "agents" / "model",
    SOURCE / "adapters" / "agents" / "repair",
    SOURCE / "adapters" / "checks" / "examiner",
    SOURCE / "adapters" / "checks" / "injector",
)
"""Programs of their own, which run under the task's interpreter and import nothing of reeve."""


def modules() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if not any(each in path.parents for each in ALONE)]


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def module_name(path: Path) -> str:
    return ".".join(("reeve", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module] if node.module != "reeve" else [f"reeve.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name and name.startswith("reeve.")}
    return found


# ---------------------------------------------------------------- the flow


def test_the_eight_stages_have_one_name_and_one_order_everywhere():
    numbered = [f"{number}-{stage}" for number, stage in enumerate(STAGES, start=1)]
    assert [path.stem for path in sorted((ROOT / "docs" / "flow").glob("*.md"))] == numbered
    stories = [path.stem for path in sorted((ROOT / "tests" / "flow").glob("test_*.py"))]
    assert stories == [f"test_{number}_{stage}" for number, stage in enumerate(STAGES, start=1)]
    assert all((SOURCE / stage / "__init__.py").is_file() for stage in STAGES)


@pytest.mark.parametrize("page", ["README.md", "docs/README.md", "CONTRIBUTING.md"])
def test_the_flow_line_is_the_same_on_every_page(page):
    assert " -> ".join(STAGES) in (ROOT / page).read_text(encoding="utf-8")


# ---------------------------------------------------------------- imports


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_module_imports_only_what_its_place_allows(path):
    part = part_of(path)
    if part in ("__init__", "__main__"):
        return
    allowed = MAY_IMPORT[part] | {part}
    if path.relative_to(SOURCE).as_posix() in CHOOSES_ADAPTERS:
        allowed |= {"adapters"}
    assert imports_of(path) <= allowed


@pytest.mark.parametrize("folder", ALONE, ids=lambda folder: folder.name)
def test_a_program_that_runs_in_the_sandbox_imports_nothing_of_reeve(folder):
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text())
        only_typing = [
            node for node in ast.walk(tree) if isinstance(node, ast.If) and _names(node.test) == "TYPE_CHECKING"
        ]
        passed_over = {id(node) for block in only_typing for node in ast.walk(block)}
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = [
            name
            for node in imports
            if id(node) not in passed_over and not getattr(node, "level", 0)
            for name in (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            )
        ]
        assert not [name for name in names if name.split(".")[0] == "reeve"]


def _names(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def test_importing_everything_makes_no_folder_and_prints_nothing(tmp_path):
    program = "\n".join(f"import {module_name(path)}" for path in modules())
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_only_where_a_program_starts_and_where_processes_are_started_is_the_environment_read():
    """Adapters hand PATH and the like on to what they start; everything else is told by Settings."""
    readers = [
        path.relative_to(SOURCE).as_posix()
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and part_of(path) != "adapters"
    ]
    assert set(readers) <= {"cli/opened.py", "cli/start.py"}


# ---------------------------------------------------------------- public names


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_public_names_are_sorted_and_there(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__all__"]:
            names = ast.literal_eval(node.value)
            assert sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name)) == names
            module = importlib.import_module(module_name(path))
            assert [name for name in names if not hasattr(module, name)] == []


PINNED = {
    "records": (
        "Action AgentSpec Answer Api Attempt Base Belief Budgets Canary CanaryKind Cell Challenge Change CheckResult Checks CommandCheck Decision "
        "Declined Declines Defect Deferral Door Draw DrillResult Ending Environment Event Fit HiddenFile Judged KnownAnswer Landing LandingOutcome Level Limits McpServer Measurement Order Outcome Patch Pause Policy Provider Question QuestionKind Ranked RepoSource Request RequestOutcome Review "
        "ReviewKind Rule Runner SandboxResult SandboxRun Scale Seeded Seeding Selection SourceChange Status Strength Surplus Task "
        "TestOutcome TestsDrilled Tight Trust Verdict Whose Word WordKind Workspace WrongKind WrongPatch"
    ),
    "ports": (
        "Agent ChallengeRequest Challenger Check CheckRequest Clock Environments Fact Gateway LandingLock Launch Memory Objects Patches Piece Repository Sandbox Spent Store "
        "TaskReader Trees"
    ),
    "errors": (
        "CheckError GatewayError InputError Interrupted LedgerError LocatedError PatchError ReeveError RepositoryError SandboxError "
        "SettingsError SetupError TaskError"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PINNED)
def test_the_names_that_others_build_on_are_pinned(name):
    module = importlib.import_module(f"reeve.{name}")
    own = {
        key
        for key, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__ and key[0] != "_"
    }
    public = set(getattr(module, "__all__", own))
    assert public == set(PINNED[name].split())
    assert own <= public
