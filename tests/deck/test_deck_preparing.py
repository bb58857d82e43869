"""While a large ledger is read for the first time, the deck says so."""

import threading

import httpx
from served import serving

from reeve.adapters.stores.index import LedgerIndex
from reeve.adapters.stores.sqlite import SqliteStore
from stories import Story


def test_pages_say_how_far_the_reading_is_and_come_when_it_is_done(tmp_path, monkeypatch):
    (tmp_path / "reeve.toml").write_text("")
    store = SqliteStore(tmp_path / ".reeve")
    Story(store).fleet()
    go_on = threading.Event()
    catch_up = LedgerIndex.catch_up

    def slowly(index, progress=lambda _done, _all: None):
        progress(37, 100)
        assert go_on.wait(60)
        return catch_up(index, progress)

    monkeypatch.setattr(LedgerIndex, "catch_up", slowly)
    monkeypatch.setattr("reeve.cli.serve.AT_ONCE_SECONDS", 0.0)
    with serving(tmp_path) as served, served.client() as client:
        page, answer = client.get("/"), client.get("/api/v1/fleet")
        assert (page.status_code, answer.status_code) == (503, 503)
        assert "being prepared, 37 %" in page.text
        assert "being prepared, 37 %" in answer.json()["error"]
        assert page.headers["refresh"] == page.headers["retry-after"] == "2"
        assert httpx.get(served.base + "/").status_code == 401, "who may not come in is told nothing"
        assert client.get("/static/deck.css").status_code == 200
        (thread,) = [each for each in threading.enumerate() if each.name == "preparing"]
        go_on.set()
        thread.join(60)
        assert client.get("/").status_code == 200
    store.close()
