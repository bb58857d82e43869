"""Source archives of the package index as repositories: pinned, without running anything, no way out."""

import hashlib
import io
import subprocess
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from reeve.adapters.trees.archive import Index, _parse_config, archive_repository, configured_index, fetch_archive
from reeve.adapters.trees.unpack import unpack
from reeve.errors import RepositoryError
from reeve.records import RepoSource

FILES = {
    "tool-1.0/setup.py": b"raise SystemExit('this must never run')\n",
    "tool-1.0/tool/__init__.py": b"x = 1\r\n",
    "tool-1.0/.gitattributes": b"* text=auto eol=lf\n",
    "tool-1.0/.gitignore": b"*.log\n",
    "tool-1.0/kept.log": b"ignored, and still part of the archive\n",
    "tool-1.0/run.sh": b"#!/bin/sh\n",
}


def tarball(files: dict[str, bytes], *special: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(member, io.BytesIO(content))
        for member in special:
            tar.addfile(member)
    return stream.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return stream.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


class Shop:
    """A folder of archives as pip's find-links would have it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links = folder / "links"
        self.links.mkdir(parents=True)
        self.index = Index(pages=(), find_links=(str(self.links),))

    def offer(self, content: bytes, name: str = "tool-1.0.tar.gz") -> RepoSource:
        (self.links / name).write_bytes(content)
        return RepoSource(archive="tool==1.0", sha256=hashlib.sha256(content).hexdigest())

    def repository(self, source: RepoSource, index: Index | None = None) -> Path:
        return archive_repository(source, self.folder / "repos", self.folder / "cache", index or self.index)

    def git(self, repository: Path, *args: str) -> bytes:
        command = ["git", "-c", "safe.directory=*", "-C", str(repository), *args]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def blob(self, repository: Path, name: str) -> bytes:
        return self.git(repository, "cat-file", "blob", name)

    def left_over(self) -> list[str]:
        return (
            sorted(path.name for path in (self.folder / "repos").glob("*")) if (self.folder / "repos").exists() else []
        )


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def test_an_archive_becomes_one_commit_with_its_files_as_they_are(shop):
    repository = shop.repository(shop.offer(tarball(FILES)))
    assert repository.name.startswith("tool-1.0-")
    listed = shop.git(repository, "ls-tree", "-r", "--format=%(objectmode) %(path)", "main").decode().split("\n")
    assert "100755 run.sh" in listed
    assert "100644 kept.log" in listed
    for path in ("tool/__init__.py", "setup.py"):
        assert shop.blob(repository, f"main:{path}") == FILES[f"tool-1.0/{path}"]
        assert (repository / path).read_bytes() == FILES[f"tool-1.0/{path}"]


def test_the_commit_is_the_same_everywhere_and_made_once(shop, tmp_path):
    content = tarball(FILES)
    source = shop.offer(content)
    first = shop.repository(source)
    (shop.links / "tool-1.0.tar.gz").unlink()
    assert shop.repository(source) == first
    other = Shop(tmp_path / "other")
    second = other.repository(other.offer(content))
    assert shop.git(first, "rev-parse", "main") == other.git(second, "rev-parse", "main")


def test_a_fetched_archive_is_kept_for_other_projects(shop):
    source = shop.offer(tarball(FILES))
    shop.repository(source)
    (shop.links / "tool-1.0.tar.gz").unlink()
    assert archive_repository(source, shop.folder / "elsewhere", shop.folder / "cache", shop.index).is_dir()


def test_a_damaged_cache_is_fetched_again(shop):
    source = shop.offer(tarball(FILES))
    kept = shop.folder / "cache" / source.sha256
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"half")
    assert shop.repository(source).is_dir()


def test_an_archive_with_another_hash_is_not_used(shop):
    shop.offer(tarball(FILES))
    with pytest.raises(RepositoryError, match=r"has sha256 .*, pinned is 0000"):
        shop.repository(RepoSource(archive="tool==1.0", sha256="0" * 64))
    assert shop.left_over() == []
    assert not list(shop.folder.glob("cache/*"))


def test_an_index_page_is_read_for_the_one_version(shop):
    source = shop.offer(tarball(FILES), "tool-1.0.tar.gz")
    page = shop.folder / "simple" / "tool"
    page.mkdir(parents=True)
    (page / "index.html").write_text(
        "<a href='../../links/tool-1.0-py3-none-any.whl'>wheel</a><a href='../../links/tool-1.0.1.tar.gz'>later</a>"
        "<a href='../../links/tool-1.0.tar.gz#sha256=abc'>this</a>"
    )
    index = Index(pages=((shop.folder / "simple").as_uri(),))
    assert shop.repository(source, index).is_dir()


@pytest.mark.parametrize(
    "page",
    [
        '<!DOCTYPE html><a href="../../links/The.Tool-1.0.tar.gz#sha256=00">The.Tool-1.0.tar.gz</a>',
        '<base href="../../links/"><a href="The.Tool-1.0.tar.gz">The.Tool-1.0.tar.gz</a>',
        '{"files": [{"filename": "The.Tool-1.0.tar.gz", "url": "../../links/The.Tool-1.0.tar.gz"}]}',
    ],
    ids=["html", "html with a base", "json"],
)
def test_an_index_page_is_read_in_each_of_its_forms(shop, page):
    wanted = shop.offer(tarball(FILES), "The.Tool-1.0.tar.gz").sha256
    (shop.folder / "simple" / "the-tool").mkdir(parents=True)
    (shop.folder / "simple" / "the-tool" / "index.html").write_text(page, encoding="utf-8")
    index = Index(pages=((shop.folder / "simple").as_uri(),))
    kept = fetch_archive("The.Tool", "1.0", wanted, shop.folder / "cache", index)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == wanted


@pytest.mark.parametrize(("status", "requests"), [(503, 3), (404, 1)])
def test_a_busy_index_is_asked_again_and_one_that_refuses_is_not(shop, monkeypatch, status, requests):
    monkeypatch.setattr("reeve.adapters.trees.archive.PAUSE_SECONDS", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked: list[str] = []

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            index = Index(pages=(f"http://127.0.0.1:{server.server_port}/simple",))
            with pytest.raises(RepositoryError, match=f"{status}"):
                shop.repository(RepoSource(archive="tool==1.0", sha256="0" * 64), index)
        finally:
            server.shutdown()
            serving.join()
    assert asked == ["/simple/tool/"] * requests


def test_an_index_without_the_archive_says_where_it_looked_and_keeps_passwords(shop):
    shop.offer(tarball(FILES), "tool-1.0.1.tar.gz")
    index = Index(pages=("file://name:password@localhost/nowhere",), find_links=(str(shop.links),))
    with pytest.raises(RepositoryError) as caught:
        shop.repository(RepoSource(archive="tool==1.0", sha256="0" * 64), index)
    assert "lists no source archive of tool==1.0" in str(caught.value)
    assert "password" not in str(caught.value)


def test_no_configured_place_is_said(shop):
    with pytest.raises(RepositoryError, match="no index and no find-links"):
        shop.repository(RepoSource(archive="tool==1.0", sha256="0" * 64), Index(pages=()))


@pytest.mark.parametrize(
    "content",
    [
        tarball({"tool-1.0/../../escaped": b"x"}),
        tarball({"/etc/escaped": b"x"}),
        tarball({"tool-1.0/.git/config": b"x"}),
        tarball({"tool-1.0/.GIT/hooks/post-commit": b"x"}),
        tarball({"tool-1.0/a\\..\\b": b"x"}),
        tarball({"tool-1.0/a": b"x", "other/b": b"x"}),
        tarball({"top": b"x"}),
        tarball({}),
        tarball({"tool-1.0/a": b"x", "tool-1.0/a/b": b"x"}),
        tarball({"tool-1.0/a": b"x", "tool-1.0/./a": b"y"}),
        tarball({"tool-1.0/a": b"x"}, special("tool-1.0/link", tarfile.SYMTYPE, "/etc/passwd")),
        tarball({"tool-1.0/a": b"x"}, special("tool-1.0/link", tarfile.LNKTYPE, "tool-1.0/a")),
        tarball({"tool-1.0/a": b"x"}, special("tool-1.0/pipe", tarfile.FIFOTYPE)),
        tarball({"tool-1.0/a": b"x"}, special("tool-1.0/null", tarfile.CHRTYPE)),
        tarball(FILES)[:-200],
        b"not an archive",
        b"",
        zipped({"tool-1.0/../escaped": b"x"}),
        zipped({"tool-1.0/a": b"x"})[:40],
    ],
    ids=[  # by words: an archive holds the second in which it was made
        "up",
        "absolute",
        "git",
        "GIT",
        "backslashes",
        "two tops",
        "a file on top",
        "empty tar",
        "file and folder",
        "twice",
        "symbolic link",
        "hard link",
        "pipe",
        "device",
        "cut tar",
        "text",
        "nothing",
        "up in a zip",
        "cut zip",
    ],
)
def test_what_must_not_be_unpacked_is_refused_and_leaves_nothing(shop, content):
    source = shop.offer(content)
    with pytest.raises(RepositoryError, match="reading the archive: "):
        shop.repository(source)
    assert shop.left_over() == []


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("reeve.adapters.trees.unpack.MAX_BYTES", 2**20)
    for content in (zipped({"tool-1.0/zeros": bytes(2**21)}), tarball({"tool-1.0/zeros": bytes(2**21)})):
        (tmp_path / "bomb").write_bytes(content)
        with pytest.raises(RepositoryError, match="more than"):
            unpack(tmp_path / "bomb")


def test_a_zip_is_read_too(shop):
    source = shop.offer(zipped(FILES), "tool-1.0.zip")
    assert (shop.repository(source) / "tool" / "__init__.py").is_file()


def test_pips_configuration_is_understood():
    index = _parse_config(
        "global.index-url='https://one.example/simple'\n:env:.index-url='https://two.example/simple'\n"
        "global.extra-index-url='https://a.example https://b.example'\nglobal.trusted-host='two.example:8080'\n"
        "global.cert='/etc/ca.pem'\nnonsense\n"
    )
    assert index.pages == ("https://two.example/simple", "https://a.example", "https://b.example")
    assert (index.trusted_hosts, index.cert) == (("two.example:8080",), "/etc/ca.pem")
    assert _parse_config("global.no-index='true'\n").pages == ()


def test_pip_is_asked_where_the_index_is_and_its_own_default_is_taken(tmp_path, monkeypatch):
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_TRUSTED_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://one.invalid/simple\n", encoding="utf-8")
    assert configured_index().pages == ("https://one.invalid/simple",)
    monkeypatch.setenv("PIP_INDEX_URL", "https://two.invalid/simple")
    assert configured_index().pages == ("https://two.invalid/simple",)
    (default,) = _parse_config("").pages
    assert default.startswith("https://")
    assert default.endswith("/simple")
