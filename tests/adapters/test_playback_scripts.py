"""Scripts as a person writes them, and the calls that their steps become with the tools of each agent."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from reeve.adapters.playback.conversation import Asked, By, Item, Listed
from reeve.adapters.playback.player import TITLE, Called, Player
from reeve.adapters.playback.script import ENDED, ScriptError, StepForm, marker, read_scripts, script_of
from reeve.errors import InputError

SEVERAL = """\
scripts:
  fix:
    when: (?i)bug
    turns:
      - - text: I look first.
        - read: calc.py
      - edit: {path: calc.py, old: a - b, new: a + b}
      - text: Done.
  other:
    turns:
      - text: Something else.
"""


def tools(**listed):
    """The tools of a request: names with the names of their arguments; None is a tool that takes free text."""
    return {
        name: Listed(name, frozenset((arguments or "").split()), free_text=arguments is None)
        for name, arguments in listed.items()
    }


AGENTS = {
    "claude": tools(Bash="command description timeout", Read="file_path offset limit", Write="file_path content")
    | tools(Edit="file_path old_string new_string replace_all"),
    "codex": tools(exec_command="cmd workdir", apply_patch=None, update_plan="plan explanation"),
    "codex, other model": tools(shell_command="command workdir", update_plan="plan explanation"),
    "gemini": tools(run_shell_command="command description", read_file="file_path", write_file="file_path content")
    | tools(replace="file_path old_string new_string instruction", write_todos="todos"),
    "opencode": tools(bash="command description", read="filePath offset", write="filePath content")
    | tools(edit="filePath oldString newString", todowrite="todos"),
    "reeve": tools(list="pattern", search="pattern path", read="path first_line", edit="path old new")
    | tools(write="path content replace", run="command", plan="entries facts"),
    "mini": tools(bash="command"),
}


def asked(*items, listed=AGENTS["reeve"], digest="0" * 64):
    return Asked("m", stream=True, items=tuple(items), tools=listed, digest=digest, size_bytes=100)


def person(text):
    return Item(By.PERSON, text)


def plays(script, *items, listed=AGENTS["reeve"]):
    """The pieces of the reply to a conversation that begins with the script."""
    return Player().reply(asked(person(marker(script)), *items, listed=listed)).pieces


def call(step, agent, *items):
    """The one call that a step becomes."""
    (called,) = plays([[step]], *items, listed=AGENTS[agent])
    assert isinstance(called, Called)
    return called.name, called.arguments


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("name", ["some.yaml", "some.json"])
def test_a_file_holds_one_script_or_several(tmp_path, name):
    path = tmp_path / name
    one = {"turns": [[{"text": "Größe \U0001f642"}, {"run": "ls"}], {"text": "Done."}]}
    is_json = name.endswith("json")
    path.write_text(json.dumps(one, indent="\t") if is_json else yaml.safe_dump(one), encoding="utf-8")
    script = read_scripts(path)[""]
    assert [len(turn.steps) for turn in script.turns] == [2, 1]
    assert script.turns[0].steps[0].text == "Größe \U0001f642"
    path.write_text(json.dumps({"scripts": {"one": one, "two": one}}))
    assert list(read_scripts(path)) == ["one", "two"]


MISTAKES = [
    ("turns:\n- raed: a\n", 2, "unknown key 'turns[0][0].raed'; did you mean 'read'?"),
    ("turns:\n- read: a\n  text: b\n", 2, "a step is exactly one of text, thought"),
    ("turns:\n- - text: a\n  - edit:\n      path: a\n      old: ''\n      new: b\n", 5, "old: "),
    ("turns:\n- error: 200\n", 2, "must be at least 400"),
    ("turns:\n- usage: {input: 1, output: 1, cached: 2}\n", 2, "parts of 'input'"),
    ("turns:\n- usage: {input: 1, output: 1, reasoning: 2}\n", 2, "a part of 'output'"),
    ("turns:\n- run: 3\n", 2, "must be a string, found 3"),
    ("turns: []\n", 1, "must not be empty"),
    ("{}\n", 1, "either 'turns' or 'scripts'"),
    ("scripts:\n  one:\n    when: '('\n    turns: [{text: a}]\n", 3, "no regular expression"),
    ("scripts:\n  a b:\n    turns: [{text: a}]\n", 2, "a name is"),
    ("turns:\n- text: a\n- text: [\n", 4, "not valid YAML"),
]


@pytest.mark.parametrize(("written", "line", "said"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_in_a_script_is_named_with_its_line(tmp_path, written, line, said):
    path = tmp_path / "some.yaml"
    path.write_text(written)
    with pytest.raises(ScriptError) as wrong:
        read_scripts(path)
    assert f"some.yaml:{line}: " in str(wrong.value)
    assert said in str(wrong.value)


def test_a_mistake_in_json_is_named_with_its_line(tmp_path):
    path = tmp_path / "some.json"
    path.write_text('{\n\t"turns": [\n\t\t{"text": "a"},\n\t\t{"raed": "b"}\n\t]\n}')
    with pytest.raises(ScriptError, match=r"some.json:4: unknown key"):
        read_scripts(path)
    path.write_text('{"turns": [{"tool": {"name": "t", "arguments": {"a": NaN}}}]}')
    with pytest.raises(ScriptError, match="NaN is not a number"):
        read_scripts(path)


def test_what_is_no_script_is_no_marker():
    with pytest.raises(ScriptError, match="did you mean 'text'"):
        marker([[{"txt": "a"}]])
    with pytest.raises(ScriptError, match="turns: must be a list"):
        script_of("text")


def test_the_page_shows_scripts_that_can_be_played_and_every_step(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "playback.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    for number, example in enumerate(examples):
        path = tmp_path / f"{number}.yaml"
        path.write_text(example)
        assert read_scripts(path)
    assert len(examples) == 2
    assert re.findall(r"^\| `(\w+): ", page, flags=re.MULTILINE) == list(StepForm.model_fields)


# ---------------------------------------------------------------- which script, which turn


@pytest.fixture
def player(tmp_path):
    path = tmp_path / "several.yaml"
    path.write_text(SEVERAL)
    return Player(read_scripts(path))


def said(player, *items, **further):
    return [getattr(piece, "text", None) or piece.name for piece in player.reply(asked(*items, **further)).pieces]


def test_a_pattern_finds_the_script_wherever_a_person_said_it(player):
    assert said(player, person("<environment>...</environment>"), person("Fix the Bug.")) == ["I look first.", "read"]
    assert said(player, person("Say something.")) == ["Something else."]


def test_a_marker_names_a_script_of_the_server_or_carries_one(player):
    assert said(player, person("[[playback:fix]]")) == ["I look first.", "read"]
    assert said(player, person(f"A bug. {marker([[{'text': 'Carried.'}]])}")) == ["Carried."]
    with pytest.raises(InputError, match="names no script"):
        said(player, person("[[playback:fxi]]"))


def test_the_newest_marker_counts_and_begins_anew(player):
    first, second = marker([[{"text": "1a"}], [{"text": "1b"}]]), marker([[{"text": "2a"}], [{"text": "2b"}]])
    told = [person(first), Item(By.MODEL, "1a"), person("on"), Item(By.MODEL, "1b"), person(f"{first} {second}")]
    assert said(player, *told) == ["2a"]
    assert said(player, *told, Item(By.MODEL, "2a"), person("a word from a person")) == ["2b"]


def test_a_marker_that_a_tool_or_the_model_said_counts_for_nothing(player):
    carried = marker([[{"text": "Planted."}]])
    items = [person("Fix the bug."), Item(By.MODEL, carried, "x1"), Item(By.TOOL, carried, "x1")]
    assert said(player, *items) == ["edit"]


def test_turns_are_counted_by_the_ids_of_calls_and_without_them_by_what_the_model_said():
    turns = [[{"read": "a"}, {"read": "b"}], [{"text": "Between."}], [{"run": "ls"}], [{"text": "End."}]]
    first = plays(turns)
    calls = [Item(By.MODEL, "", f"call_{each.id}") for each in first]
    results = [Item(By.TOOL, "", f"call_{each.id}") for each in first]
    apart = [item for pair in zip(calls, results, strict=True) for item in pair]
    unnamed = [Item(By.MODEL), Item(By.MODEL), Item(By.TOOL), Item(By.TOOL)]
    for history in ([*calls, *results], apart, [results[1]], unnamed):
        assert [piece.text for piece in plays(turns, *history)] == ["Between."]
        assert [piece.name for piece in plays(turns, *history, Item(By.MODEL, "Between."), person("on"))] == ["run"]


def test_a_turn_that_only_fails_or_waits_belongs_to_the_next():
    script = script_of([[{"error": {"status": 529, "times": 1}}], [{"delay": 1}], [{"text": "a"}], [{"text": "b"}]])
    assert [len(turn.steps) for turn in script.turns] == [3, 1]


def test_without_any_script_a_title_is_given_and_all_else_refused():
    assert said(Player(), person("Name this conversation"), listed={}) == [TITLE]
    with pytest.raises(InputError, match="no script is for this conversation"):
        said(Player(), person("Fix the bug."))


def test_failures_are_counted_for_a_bounded_number_of_requests():
    player = Player({"": script_of([[{"error": {"status": 500, "times": 1}}, {"text": "a"}]])})
    for number in range(5000):
        assert player.reply(asked(person("x"), digest=f"{number:064}")).fault
    assert len(player.failures) == 4096
    assert player.reply(asked(person("x"), digest=f"{4999:064}")).fault is None


def test_behind_the_end_nothing_is_called():
    assert [piece.text for piece in plays([[{"run": "ls"}]], Item(By.MODEL, "", "x"), Item(By.TOOL, "", "x"))] == [
        ENDED
    ]


# ---------------------------------------------------------------- tools of every agent

EDIT = {"edit": {"path": "calc.py", "old": "a - b", "new": "a + b"}}
WRITE = {"write": {"path": "new.txt", "content": "one\ntwo\n"}}
WHY = "as the script says"

CALLS = [
    ("claude", {"read": "a.py"}, ("Read", {"file_path": "a.py"})),
    ("claude", EDIT, ("Edit", {"file_path": "calc.py", "old_string": "a - b", "new_string": "a + b"})),
    ("claude", WRITE, ("Write", {"file_path": "new.txt", "content": "one\ntwo\n"})),
    ("claude", {"run": "ls"}, ("Bash", {"command": "ls", "description": WHY})),
    ("codex", {"run": "ls"}, ("exec_command", {"cmd": "ls"})),
    ("codex", {"read": "a b.py"}, ("exec_command", {"cmd": "cat 'a b.py'"})),
    ("codex", WRITE, ("apply_patch", "*** Begin Patch\n*** Add File: new.txt\n+one\n+two\n*** End Patch\n")),
    (
        "codex",
        {"plan": ["[x] look", "[>] fix", "test"]},
        (
            "update_plan",
            {
                "plan": [
                    {"step": "look", "status": "completed"},
                    {"step": "fix", "status": "in_progress"},
                    {"step": "test", "status": "pending"},
                ]
            },
        ),
    ),
    ("codex, other model", {"run": "ls"}, ("shell_command", {"command": "ls"})),
    ("gemini", {"read": "a.py"}, ("read_file", {"file_path": "a.py"})),
    (
        "gemini",
        EDIT,
        ("replace", {"file_path": "calc.py", "old_string": "a - b", "new_string": "a + b", "instruction": WHY}),
    ),
    ("gemini", {"plan": ["[ ] fix"]}, ("write_todos", {"todos": [{"description": "fix", "status": "pending"}]})),
    ("opencode", EDIT, ("edit", {"filePath": "calc.py", "oldString": "a - b", "newString": "a + b"})),
    ("opencode", {"read": "a.py"}, ("read", {"filePath": "a.py"})),
    ("reeve", EDIT, ("edit", {"path": "calc.py", "old": "a - b", "new": "a + b"})),
    ("reeve", WRITE, ("write", {"path": "new.txt", "content": "one\ntwo\n", "replace": True})),
    ("reeve", {"plan": ["[>] fix"]}, ("plan", {"entries": ["[>] fix"]})),
    ("mini", {"run": "ls"}, ("bash", {"command": "ls"})),
    ("mini", {"tool": {"name": "any", "arguments": {"a": [1]}}}, ("any", {"a": [1]})),
    ("codex", {"tool": {"name": "free", "input": "text"}}, ("free", "text")),
]


@pytest.mark.parametrize(("agent", "step", "expected"), CALLS, ids=lambda value: str(value)[:30])
def test_a_step_becomes_a_call_of_the_tool_that_the_agent_lists(agent, step, expected):
    assert call(step, agent) == expected


def test_a_patch_has_whole_lines_as_far_as_the_conversation_shows_them():
    shown = Item(By.TOOL, "Exit code: 0\ndef add(a, b):\n    return a - b  # sum\n", "x")
    assert call(EDIT, "codex")[1].split("\n")[2:5] == ["@@", "-a - b", "+a + b"]
    _, patch = _second(EDIT, shown)
    assert patch.split("\n")[2:5] == ["@@", "-    return a - b  # sum", "+    return a + b  # sum"]
    removing = {"edit": {"path": "calc.py", "old": "    return a - b  # sum\n", "new": ""}}
    assert _second(removing, shown)[1].split("\n")[2:5] == ["@@", "-    return a - b  # sum", "*** End Patch"]


@pytest.mark.parametrize("number", ["{}: ", "{:6}\t", "{:>5}→"])
def test_a_patch_has_no_numbers_of_lines_in_it(number):
    content = ["def add(a, b):", "    return a - b", ""]
    lines = "".join(f"{number.format(at)}{line}\n" for at, line in enumerate(content, start=9))
    shown = Item(By.TOOL, f"<content>\n{lines}(End of file)", "x")
    assert _second(EDIT, shown)[1].split("\n")[2:5] == ["@@", "-    return a - b", "+    return a + b"]
    numbers_of_its_own = Item(By.TOOL, "7: seven\n9: a - b\n", "x")
    assert _second(EDIT, numbers_of_its_own)[1].split("\n")[3] == "-9: a - b"


def _second(step, shown):
    (called,) = plays([[{"read": "calc.py"}], [step]], Item(By.MODEL, "", "x"), shown, listed=AGENTS["codex"])
    return called.name, called.arguments


def test_with_a_shell_alone_everything_goes_through_it(tmp_path):
    (tmp_path / "calc.py").write_text("return a - b  # it's 'wrong'\n")

    def run(step):
        name, arguments = call(step, "mini")
        assert name == "bash"
        done = subprocess.run(
            ["sh", "-c", arguments["command"]], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    run({"edit": {"path": "calc.py", "old": "a - b  # it's 'wrong'", "new": 'a + b  # "right"'}})
    assert run({"read": "calc.py"}) == 'return a + b  # "right"\n'
    run({"write": {"path": "with space.txt", "content": "50 % of 'it'\n"}})
    assert (tmp_path / "with space.txt").read_text() == "50 % of 'it'\n"


def test_a_plan_is_said_where_no_tool_takes_it():
    (piece,) = plays([[{"plan": ["[>] fix"]}]], listed=AGENTS["mini"])
    assert piece.text == "The plan:\n[>] fix"


def test_a_step_that_no_tool_can_do_is_refused_by_name():
    with pytest.raises(InputError, match="the step 'run' needs a tool, and the request lists no such: Read"):
        plays([[{"run": "ls"}]], listed=tools(Read="file_path"))
