"""Fetches source archives from the machine's own package index and unpacks them without running any of their code.

pip itself is not asked to download: for a source archive it also prepares the metadata, which runs the archive's
build code. So pip is only asked how this machine reaches its index (URLs, find-links, certificate, proxy), and the
archive is taken through the index's simple pages. What arrives is used only if its SHA-256 is the pinned one.
"""

import ast
import base64
import hashlib
import html.parser
import json
import os
import re
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

DEFAULT_INDEX = "https://pypi.org/simple"
JSON_PAGE = "application/vnd.pypi.simple.v1+json"
CONNECT_SECONDS = 30
TRIES = 3
MAX_ARCHIVE_BYTES = 20_000_000
MAX_UNPACKED_BYTES = 100_000_000
MAX_MEMBERS = 5_000

# (name in the archive, content or None for a folder, is executable)
Member = tuple[str, bytes | None, bool]


class ArchiveError(Exception):
    """An archive could not be fetched, or is not the pinned one, or must not be unpacked."""


@dataclass(frozen=True)
class Archive:
    """One pinned source archive: its project's name on the index, file name and SHA-256 (hexadecimal)."""

    project: str
    file: str
    sha256: str


@dataclass(frozen=True)
class PipSettings:
    """How this machine's pip reaches its packages; empty strings mean: not configured."""

    indexes: tuple[str, ...] = (DEFAULT_INDEX,)
    find_links: tuple[str, ...] = ()
    cert: str = ""
    proxy: str = ""
    trusted_hosts: tuple[str, ...] = field(default=())


def pip_settings() -> PipSettings:
    """Reads the configuration of the running Python's pip as pip lists it: its PIP_* variables before its files."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, dict[str, str]] = {}
    for line in listed.stdout.splitlines():
        key, separator, value = line.partition("=")
        section, dot, name = key.strip().rpartition(".")
        if separator and dot:
            found.setdefault(section, {})[name.replace("_", "-")] = _unquoted(value)

    def option(name: str) -> str:
        sections = (":env:", "install", "download", "global")
        return next((found[section][name] for section in sections if found.get(section, {}).get(name)), "")

    indexes = (
        () if option("no-index").lower() in ("1", "true", "yes", "on") else (option("index-url") or DEFAULT_INDEX,)
    )
    return PipSettings(
        indexes=(*indexes, *option("extra-index-url").split()) if indexes else (),
        find_links=tuple(option("find-links").split()),
        cert=option("cert"),
        proxy=option("proxy"),
        trusted_hosts=tuple(option("trusted-host").split()),
    )


def _unquoted(value: str) -> str:
    try:
        literal = ast.literal_eval(value.strip())
    except (SyntaxError, ValueError):
        return value.strip()
    return literal if isinstance(literal, str) else value.strip()


def cache_folder() -> Path:
    """The folder that keeps fetched archives between runs: $XDG_CACHE_HOME/reeve/archives, else under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "reeve" / "archives"


def fetch(archive: Archive, settings: PipSettings, cache: Path) -> Path:
    """Returns the path of the archive in `cache`, fetching it first unless it is there with the pinned hash.

    Raises ArchiveError when no configured place has the file, or when what arrived has another SHA-256.
    """
    kept = cache / f"{archive.sha256[:16]}-{archive.file}"
    if kept.is_file() and sha256_of(kept.read_bytes()) == archive.sha256:
        return kept
    reasons: list[str] = []
    for url in _candidate_urls(archive, settings, reasons):
        try:
            content = _read(url, settings)
        except (OSError, ArchiveError) as error:
            reasons.append(f"{_shown(url)}: {error}")
            continue
        if sha256_of(content) != archive.sha256:
            reasons.append(f"{_shown(url)}: sha256 {sha256_of(content)}, pinned is {archive.sha256}")
            continue
        _store(content, kept)
        return kept
    tried = "\n  ".join(reasons) or "no index and no find-links configured for pip"
    raise ArchiveError(f"cannot fetch {archive.file} with its pinned hash; tried:\n  {tried}")


def sha256_of(content: bytes) -> str:
    """The SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _store(content: bytes, path: Path) -> None:
    # Written beside and renamed: a run that is interrupted leaves no half archive under the final name.
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def _candidate_urls(archive: Archive, settings: PipSettings, reasons: list[str]) -> Iterator[str]:
    normalized = re.sub(r"[-_.]+", "-", archive.project).lower()
    pages = list(settings.find_links)
    pages += [f"{index.rstrip('/')}/{normalized}/" for index in settings.indexes]
    for place in pages:
        page = place
        folder = _local_path(page)
        if folder is not None and folder.is_dir() and not (folder / "index.html").is_file():
            if (folder / archive.file).is_file():
                yield (folder / archive.file).as_uri()
            continue
        if folder is not None and folder.is_dir():
            page = (folder / "index.html").as_uri()
        try:
            links = _links(page, settings)
        except (OSError, ValueError, ArchiveError) as error:
            reasons.append(f"{_shown(page)}: {error}")
            continue
        named = [link for link in links if _file_name(link) == archive.file]
        if not named:
            reasons.append(f"{_shown(page)}: does not list {archive.file}")
        yield from named


def _file_name(url: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])


def _local_path(place: str) -> Path | None:
    if place.startswith("file:"):
        return Path(urllib.request.url2pathname(urllib.parse.urlsplit(place).path))
    return None if "://" in place else Path(place).expanduser().absolute()


class _Anchors(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)
        elif tag == "base" and href:
            self.base = href


def _links(page: str, settings: PipSettings) -> list[str]:
    text = _read(page, settings).decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        return [urllib.parse.urljoin(page, entry["url"]) for entry in json.loads(text)["files"]]
    anchors = _Anchors()
    anchors.feed(text)
    base = urllib.parse.urljoin(page, anchors.base)
    return [urllib.parse.urljoin(base, href) for href in anchors.hrefs]


def _read(url: str, settings: PipSettings) -> bytes:
    for attempt in range(TRIES):
        try:
            with _opener(url, settings).open(_request(url), timeout=CONNECT_SECONDS) as answer:
                content: bytes = answer.read(MAX_ARCHIVE_BYTES + 1)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == TRIES - 1:
                raise
        except OSError:
            if attempt == TRIES - 1:
                raise
        time.sleep(attempt + 1)
    if len(content) > MAX_ARCHIVE_BYTES:
        raise ArchiveError(f"larger than {MAX_ARCHIVE_BYTES} bytes")
    return content


def _request(url: str) -> urllib.request.Request:
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(urllib.parse.urlunsplit(parts._replace(netloc=host)))
    request.add_header("Accept", f"{JSON_PAGE}, text/html;q=0.5, */*;q=0.1")
    request.add_header("User-Agent", "reeve-demo/1")
    if parts.username:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    return request


def _opener(url: str, settings: PipSettings) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    if settings.cert:
        cert = Path(settings.cert)
        context.load_verify_locations(
            cafile=None if cert.is_dir() else str(cert), capath=str(cert) if cert.is_dir() else None
        )
    parts = urllib.parse.urlsplit(url)
    if parts.hostname and {parts.hostname, f"{parts.hostname}:{parts.port}"} & set(settings.trusted_hosts):
        # The person told pip to trust this host without a certificate; the pinned hash still decides what is used.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if settings.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": settings.proxy, "https": settings.proxy}))
    return urllib.request.build_opener(*handlers)


def _shown(url: str) -> str:
    """The URL as it may be printed: without a user's name and password."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def read_files(archive: Path) -> dict[str, tuple[bytes, bool]]:
    """Reads a source archive into {path below its single top folder: (content, is executable)}.

    Nothing is written and no code of the archive runs. Links, devices and other special members are refused, as are
    absolute paths, `..`, a second top folder, a `.git` part, and archives beyond the size limits: ArchiveError.
    """
    members = _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)
    files: dict[str, tuple[bytes, bool]] = {}
    tops: set[str] = set()
    for name, content, executable in members:
        parts = _safe_parts(name)
        tops.add(parts[0])
        if len(tops) > 1:
            raise ArchiveError(f"{archive.name}: more than one top folder: {sorted(tops)!r}")
        if content is not None:
            if len(parts) < 2:
                raise ArchiveError(f"{archive.name}: {name!r} is not inside a top folder")
            files["/".join(parts[1:])] = (content, executable)
    if not files:
        raise ArchiveError(f"{archive.name}: no files in it")
    return files


def _safe_parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    parts = tuple(part for part in path.parts if part != ".")
    unsafe = any(part == ".." or part.lower() == ".git" for part in parts)
    if not parts or path.is_absolute() or unsafe or "\\" in name or "\0" in name:
        raise ArchiveError(f"unsafe path in the archive: {name!r}")
    return parts


def _tar_members(archive: Path) -> Iterator[Member]:
    total = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for count, member in enumerate(tar):
                total += member.size
                _refuse_excess(archive, count, total)
                if member.isdir():
                    yield member.name, None, False
                elif member.isreg():
                    content = tar.extractfile(member)
                    yield member.name, content.read() if content else b"", bool(member.mode & 0o100)
                elif member.type not in (tarfile.XHDTYPE, tarfile.XGLTYPE):
                    raise ArchiveError(f"{archive.name}: {member.name!r} is neither a file nor a folder")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveError(f"{archive.name}: cannot be read: {error}") from error


def _zip_members(archive: Path) -> Iterator[Member]:
    total = 0
    with zipfile.ZipFile(archive) as bundle:
        for count, info in enumerate(bundle.infolist()):
            total += info.file_size
            _refuse_excess(archive, count, total)
            mode = info.external_attr >> 16
            if mode & 0o170000 not in (0, 0o100000, 0o040000):
                raise ArchiveError(f"{archive.name}: {info.filename!r} is neither a file nor a folder")
            yield info.filename, None if info.is_dir() else bundle.read(info), bool(mode & 0o100)


def _refuse_excess(archive: Path, count: int, total: int) -> None:
    if count >= MAX_MEMBERS or total > MAX_UNPACKED_BYTES:
        raise ArchiveError(f"{archive.name}: more than {MAX_MEMBERS} members or {MAX_UNPACKED_BYTES} bytes")
