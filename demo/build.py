"""Builds the demo's repositories and backlog: `python demo/build.py DEST [--only PACKAGE ...]`.

Needs reeve's own environment and git. Writes DEST/repos/<package>, one git repository per
package with reproducible commit ids, and DEST/backlog with the task files. DEST must be absent or empty.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reeve.adapters.trees.archive import Index, configured_index, fetch_archive
from reeve.adapters.trees.unpack import unpack
from reeve.errors import RepositoryError

HERE = Path(__file__).resolve().parent
DOWNLOADS_AT_ONCE = 4
RELEASE_DATE = "2024-01-01T00:00:00+00:00"
STATE_DATE = "2024-01-02T00:00:00+00:00"

Files = dict[str, tuple[bytes, bool]]


class BuildError(Exception):
    """The demo's description does not fit what the archives hold, or git could not do its part."""


@dataclass(frozen=True)
class Archive:
    """One pinned source archive: its project's name on the index, version and SHA-256 (hexadecimal)."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Package:
    """One package of the demo; `test_paths` are the files and folders taken from the archive `tests`."""

    name: str
    source: Archive
    tests: Archive
    test_paths: tuple[str, ...]


@dataclass(frozen=True)
class Defect:
    """One injected defect; `old` is the published text, `new` what the repository holds instead."""

    task: str
    package: str
    kind: str
    file: str
    old: str
    new: str


def packages() -> list[Package]:
    """The packages of packages.toml, in its order."""
    with (HERE / "packages.toml").open("rb") as file:
        entries = tomllib.load(file)["package"]
    return [
        Package(
            name=entry["name"],
            source=Archive(entry["name"], entry["version"], entry["sha256"]),
            tests=Archive(entry["name"], entry["tests"]["version"], entry["tests"]["sha256"]),
            test_paths=tuple(entry["tests"]["paths"]),
        )
        for entry in entries
    ]


def defects() -> list[Defect]:
    """The injected defects of defects.toml, in its order."""
    with (HERE / "defects.toml").open("rb") as file:
        return [Defect(**entry) for entry in tomllib.load(file)["defect"]]


def with_tests(package: Package, files: Files, newer: Files) -> Files:
    """`files` with the package's test paths as the newer archive has them.

    Raises BuildError when the newer archive holds nothing under a test path.
    """
    files = dict(files)
    for path in package.test_paths:
        for name in [name for name in files if _below(name, path)]:
            del files[name]
        taken = {name: content for name, content in newer.items() if _below(name, path)}
        if not taken:
            raise BuildError(f"{package.name} {package.tests.version} holds nothing under {path!r}")
        files.update(taken)
    return files


def with_defects(files: Files, injected: list[Defect]) -> Files:
    """`files` with the defects in them; BuildError when a defect's old text is not there exactly once."""
    files = dict(files)
    for defect in injected:
        content, executable = files[defect.file]
        old, new = defect.old.encode(), defect.new.encode()
        if content.count(old) != 1:
            raise BuildError(f"{defect.task}: {defect.old!r} stands {content.count(old)} times in {defect.file}")
        files[defect.file] = (content.replace(old, new), executable)
    return files


def _below(name: str, path: str) -> bool:
    return name == path or PurePosixPath(path) in PurePosixPath(name).parents


def build_repository(package: Package, code: Files, state: Files, folder: Path) -> str:
    """Writes the repository with its two commits and returns the id of main's head.

    The first commit has the defects already: an agent that reads the history must not find a fix there.
    """
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--template=", "--initial-branch=main")
    _commit(folder, {}, code, f"{package.name} {package.source.version}", RELEASE_DATE)
    _commit(folder, code, state, "Tests for what was reported", STATE_DATE)
    return git(folder, "rev-parse", "HEAD").strip()


def _commit(folder: Path, before: Files, after: Files, message: str, date: str) -> None:
    for name in before.keys() - after.keys():
        (folder / name).unlink()
    for name, (content, executable) in after.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if executable else 0o644)
    # --force: the archive decides what the release holds, not an ignore file inside it.
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--no-verify", "--message", message, date=date)


def git(folder: Path, *arguments: str, date: str = RELEASE_DATE) -> str:
    """Runs git with a fixed identity and date, and with nothing of the person's configuration."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "reeve demo",
        "GIT_AUTHOR_EMAIL": "demo@reeve.invalid",
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": "reeve demo",
        "GIT_COMMITTER_EMAIL": "demo@reeve.invalid",
        "GIT_COMMITTER_DATE": date,
    }
    command = ["git", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"git {arguments[0]} in {folder}: {done.stderr.strip()}")
    return done.stdout


def cache_folder() -> Path:
    """The folder that keeps fetched archives between runs: $XDG_CACHE_HOME/reeve/archives, else under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "reeve" / "archives"


def read_archive(archive: Archive, cache: Path, index: Index) -> Files:
    """The files of a pinned archive, fetched into `cache` unless it is there; RepositoryError if it is not usable."""
    return unpack(fetch_archive(archive.name, archive.version, archive.sha256, cache, index))


def build(dest: Path, chosen: list[Package], index: Index | None = None) -> None:
    """Builds the repositories of `chosen` and the tasks that belong to them under `dest`, saying what it does."""
    places, cache = index or configured_index(), cache_folder()
    wanted = [archive for package in chosen for archive in (package.source, package.tests)]
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        read = pool.map(lambda archive: read_archive(archive, cache, places), wanted)
        files = dict(zip(wanted, read, strict=True))
    print(f"{len(wanted)} source archives fetched and their hashes checked; kept in {cache}", flush=True)
    for package in chosen:
        release, newer = files[package.source], files[package.tests]
        injected = [defect for defect in defects() if defect.package == package.name]
        code = with_defects(release, injected)
        head = build_repository(package, code, with_tests(package, code, newer), dest / "repos" / package.name)
        print(
            f"  {package.name} {package.source.version} with the tests of {package.tests.version}: main at {head[:12]}",
            flush=True,
        )
    shutil.copyfile(HERE / "reeve.toml", dest / "reeve.toml")
    names = [package.name for package in chosen]
    tasks = copy_backlog(dest / "backlog", names)
    print(f"{tasks} tasks written to {dest / 'backlog'}", flush=True)


def copy_backlog(folder: Path, names: list[str]) -> int:
    """Copies the tasks whose id begins with one of `names`, and the hidden checks; returns how many tasks."""
    folder.mkdir(parents=True)
    tasks = [path for path in sorted((HERE / "backlog").glob("*.md")) if path.name.split("-")[0] in names]
    for path in tasks:
        shutil.copyfile(path, folder / path.name)
    if (HERE / "backlog" / "hidden").is_dir():
        shutil.copytree(HERE / "backlog" / "hidden", folder / "hidden", ignore=shutil.ignore_patterns("__pycache__"))
    return len(tasks)


def main(arguments: list[str] | None = None) -> int:
    """Builds what the command line asks for; 0 when built, 1 with one clear message when not."""
    parser = argparse.ArgumentParser(description="Build the demo's repositories and backlog.")
    parser.add_argument("dest", type=Path, help="folder to write to; must be absent or empty")
    parser.add_argument("--only", nargs="+", metavar="PACKAGE", help="build these packages alone")
    options = parser.parse_args(arguments)
    dest: Path = options.dest.resolve()
    if dest.exists() and any(dest.iterdir()):
        print(f"demo: {dest} is not empty; name another folder or remove it", file=sys.stderr)
        return 1
    chosen = [package for package in packages() if options.only is None or package.name in options.only]
    try:
        build(dest, chosen)
    except (RepositoryError, BuildError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
