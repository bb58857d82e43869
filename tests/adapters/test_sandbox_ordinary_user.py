"""The same promises for an ordinary user, when the tests are started by root: trees, sandbox and walls run again as one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from shops import missing

HERE = Path(__file__).parent
USER = 64399
WHAT = (
    "overlay and (attacker or filter or killed or outlives or limit_counts or fork_bomb or put_into or replaced or refused "
    "or door or gateway or dropped or private_repository or layers or near)"
)

# Interpreter and project may stand below a folder that only root may enter: in a mount namespace of its own that
# folder is replaced by an empty one that holds just them.
STAGE = """
set -e
stage=$(mktemp -d); mount -t tmpfs stage "$stage"; n=0
for path in "$@"; do [ "$path" = -- ] && break; n=$((n+1)); mkdir "$stage/$n"; mount --rbind "$path" "$stage/$n"; done
mount -t tmpfs -o mode=755 cover /root
n=0
while [ "$1" != -- ]; do n=$((n+1)); mkdir -p "$1"; case "$1" in /root/*) mount --rbind "$stage/$n" "$1";; esac; shift; done
shift
umount -l "$stage"; rmdir "$stage"
exec setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other files already ran as an ordinary user")
def test_an_ordinary_user_gets_the_same(tmp_path):
    where = Path("/tmp") / f"reeve-user-{os.getpid()}"  # pytest's own folder is closed to other users
    where.mkdir(mode=0o755)
    os.chown(where, USER, USER)
    paths = list(dict.fromkeys([os.path.realpath(sys.base_prefix), sys.base_prefix, sys.prefix, str(HERE.parents[1])]))
    paths = [path for path in paths if not path.startswith("/usr")]
    tests = [
        str(HERE / name)
        for name in (
            "test_trees_contract.py",
            "test_sandbox_contract.py",
            "test_sandbox_door.py",
            "test_sandbox_walls.py",
        )
    ]
    argv = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        str(where / "t"),
        "-k",
        WHAT,
        *tests,
    ]
    env = {**os.environ, "HOME": str(where), "USER_ID": str(USER), "PYTEST_ADDOPTS": ""}
    try:
        done = subprocess.run(["unshare", "--mount", "sh", "-c", STAGE, "sh", *paths, "--", *argv],
                              cwd=HERE.parents[1], env=env, capture_output=True, text=True, check=False)  # fmt: skip
    except FileNotFoundError:
        missing("util-linux is not installed")
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", str(where)], check=False)
        subprocess.run(["rm", "-rf", str(where)], check=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
