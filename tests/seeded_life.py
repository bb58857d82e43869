"""A project whose agent was drilled, so that there is material for review items of known truth."""

from dataclasses import replace

import pytest
from rich.progress import Progress

from reeve import flow
from reeve.adapters.environments.fake import FakeEnvironments
from reeve.cli.drill import Clock, Source, drilled
from reeve.cli.drill_parts import injector
from reeve.cli.main import main
from reeve.cli.start import open_world
from reeve.durable.drawing import KEY_FILE, number_of
from reeve.durable.drilling import Asked
from reeve.ledger.codec import decode
from reeve.ledger.inbox import inbox
from reeve.ledger.views import task_view, task_views
from reeve.records import AgentSpec, Checks, RepoSource, Seeded, Task
from reeve.settings import read_settings, task_defaults
from reeve.task.build import sealed
from reeve.task.injected import halves
from reeve.task.known import Mixing
from test_drill import Past

LETTERS = "abcd"
CONFIG = "[pytest]\npythonpath = .\n"
SHARE = 0.5


def function(letter, number):
    return f"def {letter}(value):\n    return value + {number}\n"


def module(letters=LETTERS):
    return "\n\n".join(function(letter, number) for number, letter in enumerate(LETTERS, 1) if letter in letters)


def asked(name, letters=LETTERS):
    """Test the functions of a module."""
    each = "def test_{1}():\n    import {0}\n\n    assert {0}.{1}(1) == {2}\n"
    numbered = enumerate(LETTERS, 1)
    return "\n\n".join(each.format(name, letter, number + 1) for number, letter in numbered if letter in letters)


def writes(name, content):
    return f"cat > {name}.py <<'END'\n{content}END\n"


class SeededLife:
    """A past of modules with four tests each, an agent that does some of them whole, and tasks of its own to wait."""

    source = Source.HISTORY

    def __init__(self, folder, environment, *, whole=("alpha", "gamma"), part=("beta", "delta"), waiting=1):
        self.past = Past(folder / "calc")
        self.past.commit("The beginning of it", pytest_dot_ini=CONFIG, one_dot_py="ONE = 1\n")
        for name in (*whole, *part):
            files = {f"{name}_dot_py": module(), f"tests__test_{name}_dot_py": asked(name)}
            self.past.commit(f"Write the module {name}", **files)
        mine = {f"tests__test_own{number}_dot_py": OWN.format(number) for number in range(waiting)}
        self.past.commit("Ask for more of it", **mine)
        self.environment, self.whole, self.part, self.waiting = environment, whole, part, waiting
        self.open()

    def open(self, **changes):
        settings = replace(read_settings(self.past.root, {}), workers=2, attempts=1, default_agents=("scribe",))
        spec = AgentSpec("scribe", "command", "", command=self.command())
        self.settings = replace(settings, agents={**settings.agents, "scribe": spec})
        self.world = replace(open_world(self.settings, **changes), environments=FakeEnvironments(self.environment))
        self.store = self.world.journal.store

    def command(self):
        """Write whole modules, and parts of others: without the function that the first test held back asks for."""
        script = "case $(head -n 1 $REEVE_INSTRUCTION_FILE) in\n"
        for name in self.whole:
            script += f"*{name}*) {writes(name, module())};;\n"
        for name in self.part:
            script += f"*{name}*) {writes(name, module(set(LETTERS) - {self.left_out(name)}))};;\n"
        for number in range(self.waiting):
            script += f"*own{number}*) echo 'VALUE = {number}' > own{number}.py;;\n"
        return script + "esac"

    def left_out(self, name):
        id_ = getattr(self, "ids", {}).get(f"Write the module {name}")
        if id_ is None:
            return "a"
        _, held_back = halves([f"tests/test_{name}.py::test_{letter}" for letter in LETTERS], id_)
        return held_back[0][-1]

    def drill(self):
        """Find the tasks first, so that the agent can be told which function to leave out; then drill it."""
        first = self._drill("repair", late=lambda: False, run=False)
        self.ids = {each.task.instruction: each.task.id for each in first.mined.examples}
        self.open()
        self.done = self._drill("scribe", late=lambda: False)
        return self

    def _drill(self, agent, *, late, run=True):
        wanted = Asked(20, (agent,), task_defaults(self.settings), 0, late)
        if not run:
            self.world.stop.clear()
        clock = Clock(None, self.world.stop)
        with Progress(disable=True) as bars:
            if run:
                return drilled(self.world, wanted, self.source, injector(self.settings, self.world), bars, clock)
            return OnlyMined.of(self, wanted, bars)

    def key(self, number=0, *, right):
        """Write a secret key that draws the wanted truth beside a task."""
        for salt in range(1000):
            key = salt.to_bytes(32, "big")
            if (number_of(key, self.world.ledger, "seeded right", f"own{number}.1") < 0.5) is right:
                (self.settings.state / KEY_FILE).write_bytes(key)
                return self
        raise AssertionError("no such key")

    def task(self, number=0):
        task = Task(
            f"own{number}",
            f"Write own{number} with its value",
            RepoSource(str(self.past.root)),
            checks=Checks(required=(f"tests/test_own{number}.py::test_own",)),
            attempts=1,
            agents=("scribe",),
            source="command line:1",
        )
        return sealed(task, self.past.root)

    def run(self, *numbers, share=SHARE):
        flow.run(self.world, [self.task(number) for number in numbers or (0,)], None, Mixing(seeded_share=share))
        return self

    @property
    def items(self):
        return [decode(Seeded, fact.body) for fact in self.store.facts(kind="seeded")]

    @property
    def inbox(self):
        return inbox(task_views(self.store))

    def view(self, task):
        return task_view(self.store, task)

    def refs(self):
        return self.past.git("for-each-ref")


OWN = "def test_own():\n    import own{0}\n\n    assert own{0}.VALUE == {0}\n"


class OnlyMined:
    """What a drill finds, before any agent is tried."""

    def __init__(self, mined):
        self.mined = mined

    @classmethod
    def of(cls, life, asked, bars):
        from reeve.cli.drill import _mined

        base = life.world.objects.import_base(asked.repo, "HEAD")
        return cls(_mined(life.world, asked, life.source, base, injector(life.settings, life.world), bars))


def said(capfd, *arguments):
    """Call reeve in this process; returns what it printed."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capfd.readouterr()
    return ended.value.code or 0, out, err
