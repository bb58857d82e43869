"""Who may speak with the deck: its owner, from its own pages, under its own name."""

import pytest
from served import serving

from reeve.web.deck.guard import HEADERS, WRONG_PASSWORDS

PAGES = ("/", "/inbox", "/task/first-line", "/attempt/first-line.1", "/api/v1/fleet", "/api/v1/openapi.json", "/x")


@pytest.fixture
def with_password(tmp_path):
    (tmp_path / "reeve.toml").write_text("")
    with serving(tmp_path, password="correct horse battery") as found:
        yield found


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_anything(served, path):
    served.story.fleet()
    with served.client(known=False) as client:
        answer = client.get(path)
    assert answer.status_code == 401
    assert "first-line" not in answer.text


@pytest.mark.parametrize("cookie", ["", "x", "reeve-deck-{port}=", "reeve-deck-{port}=0", "reeve-deck-{port}={token}"])
def test_a_cookie_that_is_not_ours_opens_nothing(served, cookie):
    cookie = cookie.format(port=served.base.rpartition(":")[2], token=served.token)
    with served.client(known=False, headers={"cookie": cookie}) as client:
        assert client.get("/").status_code == 401


def test_the_first_address_gives_a_cookie_and_loses_the_token(served):
    with served.client(known=False) as client:
        answer = client.get(f"/inbox?x=1&token={served.token}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/inbox?x=1")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert served.token not in cookie
        assert client.get("/").status_code == 200


def test_a_wrong_token_gives_none(served):
    with served.client(known=False) as client:
        answer = client.get(f"/?token={served.token[:-1]}")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_the_way_in_leads_nowhere_else(served):
    with served.client(known=False) as client:
        answer = client.get(f"{served.base}//elsewhere.example/x?token={served.token}")
    assert answer.headers["location"] == "/elsewhere.example/x"


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1", "127.0.0.1:1", "", "localhost:80@evil"])
def test_another_name_that_points_here_is_refused(served, host):
    with served.client(headers={"host": host}) as client:
        assert client.get("/").status_code in (400, 421)


@pytest.mark.parametrize(
    "origin", [None, "null", "http://elsewhere.example", "http://127.0.0.1:1", "https://127.0.0.1"]
)
def test_a_page_of_elsewhere_decides_nothing(served, origin):
    served.story.fleet()
    with served.client(known=False) as client:
        client.get(f"/?token={served.token}")
        headers = {"origin": origin} if origin else {}
        for path in ("/task/docs/reject", "/api/v1/tasks/docs/reject"):
            answer = client.post(path, data={"why": "no"}, headers=headers)
            assert answer.status_code == 403
    assert served.story.store.facts(kind="review", task="docs") == []


def test_a_page_of_the_deck_decides(served):
    with served.client(known=False) as client:
        client.get(f"/?token={served.token}")
        served.story.fleet()
        answer = client.post("/task/docs/reject", data={"why": "no"}, headers={"origin": served.base})
    assert answer.status_code == 303


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/deck.js", "/api/v1/fleet", "/api/v1/tasks/nothing"])
def test_every_answer_forbids_what_it_can(served, path):
    with served.client() as client:
        answer = client.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_the_password_opens(with_password):
    with with_password.client(known=False) as client:
        assert client.get("/").headers["location"] == "/enter"
        assert "password" in client.get("/enter").text
        origin = {"origin": with_password.base}
        wrong = client.post("/enter", data={"password": "correct horse"}, headers=origin)
        assert "set-cookie" not in wrong.headers
        assert client.get("/").status_code == 303
        client.post("/enter", data={"password": with_password.password}, headers=origin)
        assert client.get("/").status_code == 200


def test_guessing_shuts_the_way_in(with_password):
    origin = {"origin": with_password.base}
    with with_password.client(known=False) as client:
        for _ in range(WRONG_PASSWORDS):
            client.post("/enter", data={"password": "x"}, headers=origin)
        answer = client.post("/enter", data={"password": with_password.password}, headers=origin)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_header_of_the_owners_proxy_opens(tmp_path):
    (tmp_path / "reeve.toml").write_text("")
    with serving(tmp_path, proxy_header="X-Remote-User") as served, served.client(known=False) as client:
        assert client.get("/").status_code == 401
        assert client.get("/", headers={"x-remote-user": ""}).status_code == 401
        assert client.get("/", headers={"x-remote-user": "ada"}).status_code == 200


def test_serving_others_needs_more_than_the_address(reeve_in, tmp_path):
    said = reeve_in(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0")
    assert said.code == 2
    assert "--password-file" in said.err


@pytest.mark.parametrize("content", [None, b"", b"short", b"\xff\xfe" * 20])
def test_a_password_file_must_hold_a_password(reeve_in, tmp_path, content):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    said = reeve_in(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0", "--password-file", str(file))
    assert said.code == 2
    assert "password" in said.err


def test_a_port_that_is_taken_is_said(served, reeve_in, tmp_path):
    said = reeve_in(tmp_path, "serve", "--port", served.base.rpartition(":")[2])
    assert said.code == 2
    assert "`--port 0` takes a free one" in said.err
