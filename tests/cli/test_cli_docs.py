"""docs/cli.md says what the program does: every command, every option, every exit code."""

import re
from pathlib import Path

import pytest
import typer.main

from reeve.cli.main import COMMANDS, EXIT_CODES, app_of

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## reeve (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
COMMON = {"--json", "--help", "-h"}


def options_of(name: str) -> set[str]:
    command = typer.main.get_command(app_of()).commands[name]
    return {option for param in command.params for option in param.opts if option.startswith("-")}


def test_every_command_is_documented_and_no_other():
    assert list(SECTIONS) == [*dict.fromkeys([*SECTIONS])]
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_and_no_other(name):
    documented = set(re.findall(r"`(--?[a-z]+(?:-[a-z]+)*)(?: [A-Z]+)?`", SECTIONS[name]))
    listed = set(re.findall(r"^- (.*?):", SECTIONS[name], re.MULTILINE))
    listed = {option for line in listed for option in re.findall(r"(?<![\w-])(--?[a-z]+(?:-[a-z]+)*)", line)}
    assert listed == options_of(name) - COMMON
    assert documented <= options_of(name) | {option for each in COMMANDS for option in options_of(each)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_its_shape_is_documented(name):
    assert "--json" in options_of(name)
    assert "JSON" in SECTIONS[name] or name in ("reject", "revert")


def test_the_exit_codes_are_the_same_in_the_help_and_on_the_page():
    table = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert table == re.findall(r"(?:: |; )(\d+) ", EXIT_CODES)


def test_the_main_path_of_the_page_is_that_of_the_help():
    first = re.findall(r"reeve (\w+)", PAGE.split("\n\n")[1])
    assert first == [name for name, panel in COMMANDS.items() if panel == "The main path"]
