"""A project to stand in, and reeve called as a person calls it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reeve.adapters.stores.sqlite import SqliteStore
from reeve.cli.main import main
from stories import Story


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "parser"
    folder.mkdir()
    (folder / "reeve.toml").write_text("")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def story(project):
    store = SqliteStore(project / ".reeve")
    yield Story(store)
    store.close()


@pytest.fixture
def reeve(project, capfd):
    """Call reeve in this process: `reeve("show", "t")`."""

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        return Said(ended.value.code or 0, out, err)

    return call
