"""Pinned source archives of the package index, and git repositories made of them. No code of an archive runs.

pip itself is not asked to download: for a source archive it also prepares the metadata, which runs the archive's
build code. So pip is only asked how this machine reaches its index, and the archive is taken through its simple pages.
"""

import hashlib
import html.parser
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from ast import literal_eval
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pygit2

from reeve.adapters.scratch import scratch_folder
from reeve.adapters.trees.unpack import unpack
from reeve.errors import RepositoryError
from reeve.records import RepoSource

__all__ = [
    "Index",
    "archive_repository",
    "commit_files",
    "configured_index",
    "download_archive",
    "fetch_archive",
    "keep_archive",
]

MAX_ARCHIVE_BYTES = 100 * 2**20
TIMEOUT_SECONDS = 30.0
TRIES = 3
PAUSE_SECONDS = 1.0  # before the second try; one more before each further one
SUFFIXES = (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz")
BRANCH = "refs/heads/main"
AT_UTC = 946_684_800  # 2000-01-01: the commit of one archive has the same id everywhere


@dataclass(frozen=True, slots=True)
class Index:
    """How this machine reaches its packages: as pip is configured. `pages` are the indexes' simple pages."""

    pages: tuple[str, ...]
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    cert: str = ""
    proxy: str = ""


def archive_repository(source: RepoSource, folder: Path, cache: Path, index: Index | None = None) -> Path:
    """Return the repository of an archive below `folder`, made once: one commit, fixed identity and date.

    The archive is fetched into the folder `cache` unless it is there; only what has the SHA-256 of `source` is
    used. Raises RepositoryError if it cannot be fetched, has another hash, or holds what must not be unpacked.
    """
    name, version = (source.archive or "").split("==")
    wanted = source.sha256 or ""
    repository = folder / f"{name}-{version}-{wanted[:8]}"
    if repository.is_dir():
        return repository
    archive = fetch_archive(name, version, wanted, cache, index)
    files = unpack(archive)
    folder.mkdir(parents=True, exist_ok=True)
    # Made beside and renamed: an interruption leaves no half repository under the final name.
    with scratch_folder(".making-", folder) as temporary:
        try:
            commit_files(temporary, files, f"{name} {version}\n\nSource archive, sha256 {wanted}\n")
            os.chmod(temporary, 0o755)  # noqa: S103 - mkdtemp keeps it to one user; agents run as another
            os.rename(temporary, repository)
        except OSError as error:
            if not repository.is_dir():  # another process was first otherwise
                raise RepositoryError(f"making {str(repository)!r}: {error}") from error
    return repository


def commit_files(folder: Path, files: Mapping[str, tuple[bytes, bool]], message: str) -> None:
    """Make a repository of one commit; each file is its content and its executable bit."""
    # Blobs are written as they are: no attribute or line-ending setting of anybody applies.
    repository = pygit2.init_repository(str(folder), initial_head=BRANCH)
    for path, (content, executable) in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o755 if executable else 0o644)
        mode = pygit2.enums.FileMode.BLOB_EXECUTABLE if executable else pygit2.enums.FileMode.BLOB
        repository.index.add(pygit2.IndexEntry(path, repository.create_blob(content), mode))
    tree = repository.index.write_tree()
    repository.index.write()
    who = pygit2.Signature("reeve", "reeve@localhost", AT_UTC, 0)
    repository.create_commit(BRANCH, who, who, message, tree, [])


# ---------------------------------------------------------------- fetching


def fetch_archive(name: str, version: str, sha256: str, cache: Path, index: Index | None = None) -> Path:
    """Return the path of a source archive in the folder `cache`, fetched unless it is there with that SHA-256.

    Without `index` pip's configuration says where to look. Raises RepositoryError when no place has the archive,
    or when what arrived has another hash; it is not kept then.
    """
    kept = cache / sha256
    if kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == sha256:
        return kept
    _kept(_fetch(name, version, sha256, index or configured_index()), cache)
    return kept


def download_archive(name: str, version: str, cache: Path, index: Index | None = None) -> str:
    """Fetch a source archive whose hash is not known before into the folder `cache`; returns its SHA-256.

    What an index promises in the address of the archive must hold. Raises RepositoryError as `fetch_archive`.
    """
    reasons: list[str] = []
    found = index or configured_index()
    for url in _candidates(name, version, found, reasons):
        try:
            content = _read(url, found)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reasons.append(f"{_shown(url)}: {error}")
            continue
        sha256 = hashlib.sha256(content).hexdigest()
        promised = re.search(r"#(?:.*&)?sha256=([0-9a-f]{64})", url)
        if promised is None or promised[1] == sha256:
            return _kept(content, cache)
        reasons.append(f"{_shown(url)}: has sha256 {sha256}, the index promises {promised[1]}")
    tried = "; ".join(reasons) or "pip is configured with no index and no find-links"
    raise RepositoryError(f"fetching the source archive of {name}=={version}: {tried}")


def keep_archive(path: Path, cache: Path) -> str:
    """Copy an archive of the person's own into the folder `cache`; returns its SHA-256. Raises RepositoryError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ARCHIVE_BYTES + 1)
    except OSError as error:
        raise RepositoryError(f"reading the archive {str(path)!r}: {error.strerror}") from error
    if len(content) > MAX_ARCHIVE_BYTES:
        raise RepositoryError(f"reading the archive {str(path)!r}: larger than {MAX_ARCHIVE_BYTES >> 20} MB")
    return _kept(content, cache)


def _kept(content: bytes, cache: Path) -> str:
    """Put an archive where it is found by its hash; whole or not at all."""
    sha256 = hashlib.sha256(content).hexdigest()
    cache.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=cache)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(temporary, cache / sha256)
    return sha256


def _fetch(name: str, version: str, sha256: str, index: Index) -> bytes:
    reasons: list[str] = []
    for url in _candidates(name, version, index, reasons):
        try:
            content = _read(url, index)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reasons.append(f"{_shown(url)}: {error}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if found == sha256:
            return content
        reasons.append(f"{_shown(url)}: has sha256 {found}, pinned is {sha256}")
    tried = "; ".join(reasons) or "pip is configured with no index and no find-links"
    raise RepositoryError(f"fetching the source archive of {name}=={version} with sha256 {sha256}: {tried}")


def _candidates(name: str, version: str, index: Index, reasons: list[str]) -> Iterator[str]:
    plain = re.sub(r"[-_.]+", "-", name).lower()
    for page in (*index.find_links, *(f"{page.rstrip('/')}/{plain}/" for page in index.pages)):
        try:
            links = [url for url in _links(page, index) if _fits(url, plain, version)]
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
            reasons.append(f"{_shown(page)}: {error}")
            continue
        if not links:
            reasons.append(f"{_shown(page)}: lists no source archive of {name}=={version}")
        yield from links


def _fits(url: str, plain: str, version: str) -> bool:
    file = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
    suffix = next((each for each in SUFFIXES if file.endswith(each)), None)
    project, _, found = file.removesuffix(suffix or "").rpartition("-")
    return suffix is not None and found == version and re.sub(r"[-_.]+", "-", project).lower() == plain


def _links(page: str, index: Index) -> list[str]:
    local = _local(page)
    if local is not None and local.is_dir():
        if not (local / "index.html").is_file():
            return [path.absolute().as_uri() for path in sorted(local.iterdir())]
        page = (local / "index.html").absolute().as_uri()
    text = _read(page, index).decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        return [urllib.parse.urljoin(page, file["url"]) for file in json.loads(text)["files"]]
    anchors = _Anchors()
    anchors.feed(text)
    base = urllib.parse.urljoin(page, anchors.base)
    return [urllib.parse.urljoin(base, href) for href in anchors.found]


class _Anchors(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)
        elif tag == "base" and href:
            self.base = href


def _local(place: str) -> Path | None:
    if place.startswith("file:"):
        return Path(urllib.request.url2pathname(urllib.parse.urlsplit(place).path))
    return None if "://" in place else Path(place).expanduser()


def _read(url: str, index: Index) -> bytes:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("https", "http", "file"):
        raise ValueError("neither https, http nor file")
    # Names and passwords in the URL go into a header: urllib would take them for a part of the host.
    bare = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    request = urllib.request.Request(bare)  # noqa: S310 - the schemes are checked above
    request.add_header("Accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1")
    if parts.username:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + b64encode(pair.encode()).decode())
    content = _tried(_opener(parts, index), request, TRIES if parts.scheme != "file" else 1)
    if len(content) > MAX_ARCHIVE_BYTES:
        raise ValueError(f"larger than {MAX_ARCHIVE_BYTES >> 20} MB")
    return content


def _tried(opener: urllib.request.OpenerDirector, request: urllib.request.Request, tries: int) -> bytes:
    # A busy index and a broken connection pass; an answer that blames the request (4xx) does not.
    for left in reversed(range(tries)):
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return bytes(answer.read(MAX_ARCHIVE_BYTES + 1))
        except (OSError, http.client.HTTPException) as error:
            if left == 0 or (isinstance(error, urllib.error.HTTPError) and error.code < 500):
                raise
        time.sleep(PAUSE_SECONDS * (tries - left))
    raise AssertionError("the last try returns or raises")


def _opener(parts: urllib.parse.SplitResult, index: Index) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    if index.cert:
        folder = Path(index.cert).is_dir()  # pip takes a file or a folder of certificates
        context.load_verify_locations(None if folder else index.cert, index.cert if folder else None)
    if {parts.hostname, f"{parts.hostname}:{parts.port}"} & set(index.trusted_hosts):
        # The person told pip to do without this host's certificate; the hash decides what is used anyway.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if index.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": index.proxy, "https": index.proxy}))
    return urllib.request.build_opener(*handlers)


def _shown(url: str) -> str:
    """The address without a person's name and password."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


# ---------------------------------------------------------------- pip's configuration


def configured_index() -> Index:
    """Ask this Python's pip how it is configured: its files, and its variables before them."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return _parse_config(listed)


def _parse_config(listed: str) -> Index:
    found: dict[tuple[str, str], str] = {}
    for line in listed.splitlines():
        key, equals, value = line.partition("=")
        section, dot, name = key.strip().rpartition(".")
        if equals and dot:
            found[section, name.replace("_", "-")] = _literal(value.strip())

    def option(name: str) -> str:
        places = (":env:", "install", "download", "global")
        return next((found[place, name] for place in places if found.get((place, name))), "")

    pages = (option("index-url") or _default_index(), *option("extra-index-url").split())
    return Index(
        pages=() if option("no-index").lower() in ("1", "true", "yes", "on") else pages,
        find_links=tuple(option("find-links").split()),
        trusted_hosts=tuple(option("trusted-host").split()),
        cert=option("cert"),
        proxy=option("proxy"),
    )


def _default_index() -> str:
    # Taken from pip, which has no public name for it: an address of our own would be a second truth beside pip's.
    # Imported here, so that only a machine without a configured index depends on where pip keeps it.
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


def _literal(text: str) -> str:
    try:
        return str(literal_eval(text))
    except (SyntaxError, ValueError):
        return text
