"""A deck to ask, and a browser to look at it with."""

import shutil
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, sync_playwright
from served import Served, serving

from reeve.cli.main import main


@pytest.fixture
def served(tmp_path) -> Served:
    (tmp_path / "reeve.toml").write_text("")
    with serving(tmp_path) as found:
        yield found


@pytest.fixture(
    scope="module"
)  # no longer: its event loop runs in this thread until it ends, and others start their own
def browser() -> Browser:
    """The machine's own Chromium, without a window; a machine without one fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "there is no Chromium here: `make setup-tests` installs it"
    quiet = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", *quiet])
        yield running
        running.close()


@pytest.fixture
def page(browser, served):
    """A page of somebody who came in by the printed address; what its scripts complain of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = context.new_page()
    complaints = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.goto(served.entrance)
    yield made
    context.close()
    assert complaints == []


@pytest.fixture
def reeve_in(monkeypatch, capfd):
    """Call reeve in this process in a folder; for what ends by itself."""

    def call(folder, *arguments):
        monkeypatch.chdir(folder)
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capfd.readouterr()
        return SimpleNamespace(code=ended.value.code or 0, out=out, err=err)

    return call
