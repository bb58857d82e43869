"""Read a source archive without writing anything: plain files only, no way out of it, within bounds."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from reeve.errors import RepositoryError

__all__ = ["unpack"]

MAX_MEMBERS = 50_000
MAX_BYTES = 500 * 2**20


def unpack(archive: Path) -> dict[str, tuple[bytes, bool]]:
    """Return every file below the archive's single top folder: path -> (content, executable).

    Raises RepositoryError for links, devices, absolute paths, ``..``, a ``.git`` part, a second top folder, the
    same path twice (also as file and folder), damage, and more than MAX_MEMBERS members or MAX_BYTES in all.
    """
    files: dict[str, tuple[bytes, bool]] = {}
    tops: set[str] = set()
    try:
        for name, content, executable in _members(archive):
            parts = _parts(name)
            tops.add(parts[0])
            if len(tops) > 1:
                raise RepositoryError(f"reading the archive: more than one top folder: {sorted(tops)!r}")
            if content is None:
                continue
            path = "/".join(parts[1:])
            if not path or path in files:
                raise RepositoryError(f"reading the archive: {name!r} is outside its top folder, or there twice")
            files[path] = (content, executable)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise RepositoryError(f"reading the archive: damaged: {error}") from error
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    if both := sorted(folders & set(files)):
        raise RepositoryError(f"reading the archive: {both[0]!r} is a file and a folder")
    if not files:
        raise RepositoryError("reading the archive: no files in it")
    return files


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    parts = tuple(part for part in path.parts if part != ".")
    if not parts or path.is_absolute() or "\\" in name or "\0" in name:
        raise RepositoryError(f"reading the archive: unsafe path {name!r}")
    if any(part == ".." or part.lower() == ".git" for part in parts):
        raise RepositoryError(f"reading the archive: unsafe path {name!r}")
    return parts


def _members(archive: Path) -> Iterator[tuple[str, bytes | None, bool]]:
    return _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)


def _tar_members(archive: Path) -> Iterator[tuple[str, bytes | None, bool]]:
    total = 0
    with tarfile.open(archive, "r:*") as tar:
        for count, member in enumerate(tar):
            total += member.size
            _refuse_excess(count, total)
            if member.isdir():
                yield member.name, None, False
            elif member.isreg() and (stream := tar.extractfile(member)) is not None:
                yield member.name, stream.read(), bool(member.mode & 0o100)
            else:
                raise RepositoryError(f"reading the archive: {member.name!r} is neither a file nor a folder")


def _zip_members(archive: Path) -> Iterator[tuple[str, bytes | None, bool]]:
    total = 0
    with zipfile.ZipFile(archive) as bundle:
        for count, info in enumerate(bundle.infolist()):
            mode = info.external_attr >> 16
            if mode & 0o170000 not in (0, 0o100000, 0o040000):
                raise RepositoryError(f"reading the archive: {info.filename!r} is neither a file nor a folder")
            if info.is_dir():
                yield info.filename, None, False
                continue
            with bundle.open(info) as stream:
                content = stream.read(MAX_BYTES - total + 1)  # the size that the archive names may be a lie
            total += len(content)
            _refuse_excess(count, total)
            yield info.filename, content, bool(mode & 0o100)


def _refuse_excess(count: int, total: int) -> None:
    if count >= MAX_MEMBERS or total > MAX_BYTES:
        raise RepositoryError(f"reading the archive: more than {MAX_MEMBERS} members or {MAX_BYTES >> 20} MB")
