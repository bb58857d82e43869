"""The documentation is true: keys, defaults, links, examples."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from reeve.records import Limits
from reeve.settings import read_settings, task_defaults
from reeve.settings_form import SettingsForm, settings_table
from reeve.task.backlog import read_backlog
from reeve.task.forms import LimitsForm, TaskForm

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def rows(page: str) -> list[list[str]]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("| `")
    ]


def models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [model for part in inner for model in models(part)]


def keys(model: type[BaseModel], before: str = "") -> list[str]:
    found = []
    for name, info in model.model_fields.items():
        found.append(before + name)
        for inner in models(info.annotation):
            found += keys(inner, f"{before}{name}.")
    return found


def test_every_key_of_a_task_is_documented_and_no_other():
    documented = [row[0].strip("`") for row in rows("tasks.md")]
    assert sorted(documented) == sorted(keys(TaskForm))
    assert len(documented) == len(set(documented))


def test_the_documented_limits_are_the_defaults():
    documented = {row[0].strip("`"): row[2] for row in rows("tasks.md")}
    for name in LimitsForm.model_fields:
        default = getattr(Limits(), name)
        assert documented[f"limits.{name}"] == ("no limit" if default is None else f"{default:g}")


def test_every_setting_is_documented_as_the_program_describes_it():
    expected = [
        [f"`{each.name}`", each.default if each.default in ("none", "needed") else f"`{each.default}`", each.sentence]
        for each in settings_table()
    ]
    assert rows("settings.md") == expected


def test_the_example_task_is_a_task(tmp_path):
    (tmp_path / ".git").mkdir()
    text = (DOCS / "tasks.md").read_text(encoding="utf-8")
    example = re.search(r"(?:^    .*\n|^\n)+", text[text.index("    ---") :], flags=re.MULTILINE)
    (tmp_path / "one.md").write_text(re.sub(r"^    ", "", example[0], flags=re.MULTILINE).strip() + "\n")
    task = read_backlog([tmp_path / "one.md"], task_defaults(read_settings(tmp_path, {}))).tasks[0]
    assert (task.id, task.human_minutes) == ("empty-line", 15.0)
    assert task.checks.required == ("tests/test_parser.py::test_empty_line",)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_toml_example_is_valid(page):
    for example in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        data = tomllib.loads(example)
        if "project" not in data:
            SettingsForm.model_validate(data)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    inside = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_every_page_can_be_reached_from_the_index():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page.name != "README.md"]
    missing = [page for page in pages if f"({page})" not in index and not page.startswith("decisions/")]
    assert missing == []


def test_the_licence_is_the_one_that_is_named():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
