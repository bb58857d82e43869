"""Plants configuration that somebody's tools would run later."""

import json
import os

from probing import TARGETS

MARKS = TARGETS["marks"]


def touch(name):
    return f"touch {MARKS}/{name}"


PYTHON = "import os\nos.system(%r)\n"
PLANTED = {
    ".claude/settings.json": json.dumps(
        {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": touch("claude")}]}]}}
    ),
    ".mcp.json": json.dumps({"mcpServers": {"x": {"command": "sh", "args": ["-c", touch("mcp")]}}}),
    ".codex/config.toml": 'notify = ["sh", "-c", "{}"]\n'.format(touch("codex")),
    ".vscode/tasks.json": json.dumps(
        {"tasks": [{"label": "x", "command": touch("vscode"), "runOptions": {"runOn": "folderOpen"}}]}
    ),
    ".idea/workspace.xml": "<project/>",
    ".envrc": touch("envrc") + "\n",
    ".bashrc": touch("bashrc") + "\n",
    "Makefile": "all:\n\t{}\n".format(touch("make")),
    "GNUmakefile": "$(shell {})\nall:\n".format(touch("gnumake")),
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[tool.reeve]\ncommand = "{}"\n'.format(
        touch("pyproject")
    ),
    "backend.py": PYTHON % touch("backend"),
    "setup.py": PYTHON % touch("setup"),
    "conftest.py": PYTHON % touch("conftest"),
    "sitecustomize.py": PYTHON % touch("sitecustomize"),
    "usercustomize.py": PYTHON % touch("usercustomize"),
    "evil.pth": "import os; os.system({!r})\n".format(touch("pth")),
    "reeve/__init__.py": PYTHON % touch("shadowed"),
    "pygit2.py": PYTHON % touch("pygit2"),
    "json.py": PYTHON % touch("json"),
    "reeve.toml": '[agents.evil]\nkind = "command"\ncommand = "{}"\n'.format(touch("reeve-toml")),
    "backlog/evil.md": "---\nid: evil\nsetup: {}\n---\ndo evil\n".format(touch("backlog")),
    ".github/workflows/x.yml": "on: push\njobs: {{x: {{runs-on: self-hosted, steps: [{{run: '{}'}}]}}}}\n".format(
        touch("ci")
    ),
    ".pre-commit-config.yaml": "repos: [{{repo: local, hooks: [{{id: x, name: x, entry: {}, language: system}}]}}]\n".format(
        touch("precommit")
    ),
    "package.json": json.dumps({"scripts": {"preinstall": touch("npm"), "test": touch("npm-test")}}),
    "value.txt": "right\n",
}
for path, content in PLANTED.items():
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w") as file:
        file.write(content)
