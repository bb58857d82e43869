"""Everything that an attempt may try against its one way out: each try fails, and the ledger says what was tried.

What counts is what arrived: at the provider, at the one host that may be reached, at everything else on this machine.
That the door leads somewhere at all is asserted too, by the questions that the provider did answer.
"""

import re
from collections import Counter

import pytest
from doors import ATTEMPT_MB, ENOUGH_ANSWERS, HOST_MB
from test_walls_attempts import WALLS as CLOSED

KIND = "door"
TRIES = []
ASKED = "/v1/chat/completions"
MB = 1 << 20
SAME = {6: 101, 12: 102, 13: 103, 16: 104, 17: 105, 18: 106, 27: 107, 28: 108, 29: 109, 30: 110}
"""What a door must not change: the number of each such wall without a door, and with one."""


def door(number, name):
    """Enter a try into the table; the function asserts what must be true, and returns the fact that was recorded."""

    def enter(function):
        TRIES.append((number, name, function))
        return function

    return enter


def again(number, wall):
    door(number, f"beside a door: {wall.name}")(wall.holds)


for _wall in CLOSED:
    if _wall.number in SAME:
        again(SAME[_wall.number], _wall)


def answers(seen, task, *beginnings):
    """What was answered to all probes whose names begin so."""
    found = {name: got for name, got in seen.said(task).items() if name.startswith(beginnings)}
    assert found, f"nothing was tried: {beginnings}"
    return found


def all_in(found, *allowed):
    """Every answer is one of these; returns them as a fact."""
    assert {name: got for name, got in found.items() if got not in allowed} == {}
    return ", ".join(f"{count} x {got}" for got, count in sorted(Counter(found.values()).items()))


def requests(seen, task, outcome=None):
    """The requests of an attempt that are facts."""
    found = seen.tasks[task].get("request", [])
    return [each for each in found if outcome in (None, each["outcome"])]


def nothing_beside(seen):
    """Neither another provider nor anything that listens on this machine was reached."""
    assert seen.doors["other"] == []
    assert {name: count for name, count in seen.host["connected"].items() if count} == {}


def at_provider(seen, *models):
    return [each for each in seen.doors["provider"] if each["model"] in models]


# ---------------------------------------------------------------- to models


@door(111, "other providers and files of the owner by tricks of the path")
def _(seen):
    nothing_beside(seen)
    fact = all_in(answers(seen, "smuggle", "path ", "method ", "connect through"), "404", "400", "405", "closed")
    assert {each["path"] for each in seen.doors["provider"]} <= {
        ASKED,
        "/v1/models",
        "/v1/models/leaks",
        "/v1/responses/input_tokens",
    }
    refused = requests(seen, "smuggle", "refused")
    assert any("169.254.169.254" in each["path"] + each["provider"] for each in refused)
    return f"{len(refused)} requests refused: {fact}"


@door(112, "another host by the head: Host, X-Forwarded, Forwarded, X-Original-URL")
def _(seen):
    nothing_beside(seen)
    found = answers(seen, "smuggle", "header ", "host of")
    fact = all_in(found, "200")
    arrived = at_provider(seen, "plain")
    assert len(arrived) >= len(found)
    forbidden = re.compile(
        r"x-forwarded|forwarded|x-host|x-original|x-rewrite|x-http-method|x-method|x-real-ip|via$|x-proxy|x-backend|proxy-|"
        r"upgrade|http2-settings|te$|trailer|openai-organization|x-api-key|api-key|cookie|x-amz-security",
        re.IGNORECASE,
    )
    for each in arrived:
        assert [name for name, _ in each["headers"] if forbidden.match(name)] == []
        assert [value for name, value in each["headers"] if name.lower() == "host"] == [seen.doors["provider_url"][7:]]
    return f"{fact}; the provider saw none of it"


@door(113, "a second request hidden in the first (lengths, chunks, trailers)")
def _(seen):
    nothing_beside(seen)
    found = answers(seen, "smuggle", "smuggled ", "two hosts")
    for name, got in found.items():
        assert got.split().count("200") <= 1, name
    assert {each["method"] for each in seen.doors["provider"]} <= {"POST", "GET"}
    for each in seen.doors["provider"]:
        names = Counter(name.lower() for name, _ in each["headers"])
        assert names["transfer-encoding"] == 0
        assert names["content-length"] == (each["method"] == "POST")
        assert names["authorization"] == 1
    return f"{len(found)} tries: {all_in(found, *set(found.values()))}"


@door(114, "a redirection of the provider to a service of this machine")
def _(seen):
    nothing_beside(seen)
    assert seen.said("smuggle")["redirected"] == "302"  # the agent is told, and cannot go there
    assert len(at_provider(seen, "redirect")) == 1
    assert [each["status"] for each in requests(seen, "smuggle") if each["status"] == 302] == [302]
    return "request answered with 302, not followed"


@door(115, "the provider is asked to fetch, or to send")
def _(seen):
    nothing_beside(seen)
    return all_in(answers(seen, "smuggle", "provider "), "400") + ": refused"


@door(116, "the key, through errors, heads and redirections that repeat it")
def _(seen):
    assert seen.host["leaks"] == []
    found = answers(seen, "keys", "key leaks-")
    assert len(found) == 5
    for name, got in found.items():
        assert got.startswith(f"b'HTTP/1.1 {name[-3:]}"), got
    assert len([each for each in seen.doors["provider"] if each["model"].startswith("leaks-")]) == 5
    return "trajectory: " + ", ".join(f"{each['status']} {each['outcome']}" for each in requests(seen, "keys")[:5])


@door(117, "the token of another attempt, and what looks like one's own")
def _(seen):
    fact = all_in(answers(seen, "greedy", "token "), "401")
    assert seen.said("polite")["last"] == "200"
    own = [each for each in requests(seen, "greedy", "refused") if each["status"] == 401]
    assert len(own) == 6
    assert requests(seen, "polite", "refused") == []
    return f"{fact}, each a request refused"


@door(118, "the repository posted to a model: more than the budget")
def _(seen):
    assert [each for each in seen.doors["provider"] if each["path"] == ASKED and each["bytes"] > MB] == []
    over = requests(seen, "post", "over-budget")
    assert any(each["status"] == 402 for each in over)
    assert seen.attempt("post")["ending"] == "budget-limit"
    return f"ending budget-limit: {seen.attempt('post')['reason'][:80]}"


@door(119, "the repository posted by questions that cost nothing")
def _(seen):
    arrived = [each for each in seen.doors["provider"] if each["path"].endswith("/input_tokens")]
    assert arrived
    assert sum(each["bytes"] for each in arrived) <= 64 << 20
    sent = [each for each in requests(seen, "post", "answered") if each["path"].endswith("/input_tokens")]
    assert sum(each["bytes_sent"] for each in sent) == sum(each["bytes"] for each in arrived)
    over = [each for each in requests(seen, "post", "over-budget") if each["path"].endswith("/input_tokens")]
    assert over
    return f"{sum(each['bytes_sent'] for each in sent)} bytes counted; then: {over[0]['reason'][:70]}"


# ---------------------------------------------------------------- to other hosts


@door(121, "hosts that nobody listed, and names that parsers read differently")
def _(seen):
    nothing_beside(seen)
    found = answers(seen, "hosts", "name ", "socks", "header of")
    fact = all_in(found, "HTTP/1.1 403 Forbidden", "HTTP/1.1 400 Bad Request", "HTTP/1.1 405 Method Not Allowed", "closed",
                  "ECONNRESET", "EPIPE")  # fmt: skip
    assert "evil.example" not in seen.doors["lookups"]
    assert not [name for name in seen.doors["lookups"] if name[0].isdigit() or name == "localhost"]
    return f"{len(requests(seen, 'hosts', 'refused'))} requests refused: {fact}"


@door(122, "listed names that lead inside: metadata, loopback, private, carried in IPv6")
def _(seen):
    nothing_beside(seen)
    found = {name: got for name, got in answers(seen, "hosts", "inside ").items() if "rebinding" not in name}
    assert len(found) == 8
    fact = all_in(found, "HTTP/1.1 403 Forbidden")
    reasons = [each["reason"] for each in requests(seen, "hosts", "refused")]
    assert any("meta.example has the address 169.254.169.254" in reason for reason in reasons)
    return fact


@door(123, "a name that leads elsewhere at the second look (DNS rebinding)")
def _(seen):
    nothing_beside(seen)
    found = [got for name, got in answers(seen, "hosts", "inside ").items() if "rebinding" in name]
    assert found == ["HTTP/1.1 502 Bad Gateway", "HTTP/1.1 403 Forbidden", "HTTP/1.1 403 Forbidden"]
    assert seen.doors["lookups"].count("rebinding.example") == 3  # one for each: nothing is looked up after the check
    return "one look for each request; " + ", ".join(found)


@door(124, "plain HTTP through the door to other hosts")
def _(seen):
    nothing_beside(seen)
    return all_in(answers(seen, "hosts", "plain "), "HTTP/1.1 405 Method Not Allowed", "HTTP/1.1 400 Bad Request")


@door(125, "the repository carried to a listed host, in one piece and in many")
def _(seen):
    assert seen.said("hosts")["carried to"] == "HTTP/1.1 200 Connection established"
    assert seen.said("hosts")["carried"] == "cut off"
    assert 0 < seen.doors["elsewhere_bytes"] <= HOST_MB * MB
    first = [each for each in requests(seen, "hosts") if each["host"] == "listed.example:443"]
    assert 0.8 * ATTEMPT_MB * MB < sum(each["bytes_sent"] for each in first) <= ATTEMPT_MB * MB
    assert "cut-off" in {each["outcome"] for each in first}
    return f"cut off after {first[0]['bytes_sent']} bytes; then over-budget"


@door(126, "the repository carried by the next attempt, through the next gateway")
def _(seen):
    both = [
        each
        for task in ("hosts", "hosts-again")
        for each in requests(seen, task)
        if each["host"] == "listed.example:443"
    ]
    sent = sum(each["bytes_sent"] for each in both)
    assert ATTEMPT_MB * MB < sent <= HOST_MB * MB
    assert seen.doors["elsewhere_bytes"] <= sent
    assert seen.said("hosts-again")["carried"] == "cut off"
    return f"{sent} bytes by both attempts; the host may be sent {int(HOST_MB * MB)}"


# ---------------------------------------------------------------- the door itself


@door(131, "descriptors of the door and of its runner; rights handed to it")
def _(seen):
    nothing_beside(seen)
    said = seen.said("keys")
    assert said["sockets of every process"] == "0"
    found = answers(seen, "keys", "gateway ")
    assert {name: got for name, got in found.items() if not got.startswith(("ENOENT", "ECONNREFUSED"))} == {}
    assert said["given to the door"] in ("400", "closed")
    return f"trajectory: {all_in(found, *set(found.values()))}; the door: {said['given to the door']}"


@door(132, "taking the place of the door")
def _(seen):
    return all_in(answers(seen, "keys", "its place"), "EADDRINUSE")


@door(133, "signals to the gateway, its memory, its environment")
def _(seen):
    assert seen.said("keys")["processes that can be signalled"] == "0"
    assert len(seen.doors["starts"]) == 2  # one for each run: none was ended in between
    assert seen.host["leaks"] == []
    return "trajectory: 0 of 65535 numbers are a process"


@door(134, "exhausting the gateway: floods of heads, lengths, chunks, lines without an end")
def _(seen):
    found = answers(seen, "greedy", "flood ")
    fact = all_in(found, "400", "413", "431", "closed", "ECONNRESET", "EPIPE", "OSError: timed out")
    assert max(seen.doors["peak_mb"]) < 400
    return f"{fact}; the gateway had {max(seen.doors['peak_mb'])} MB"


@door(135, "slow heads on hundreds of connections: the other attempts go on")
def _(seen):
    assert int(seen.said("greedy")["held"]) >= 200
    assert seen.said("greedy")["exhausted"]
    assert seen.doors["polite_meanwhile"] >= ENOUGH_ANSWERS
    assert int(seen.said("polite")["answers"]) >= ENOUGH_ANSWERS
    assert {each["outcome"] for each in requests(seen, "polite")} == {"answered"}
    return f"{seen.said('greedy')['held']} held; the other had {seen.doors['polite_meanwhile']} answers meanwhile"


def test_the_door_leads_to_its_provider_with_the_real_key(seen):
    """Without this, everything above would hold behind a door that is only shut."""
    for each in at_provider(seen, "polite"):
        (given,) = [value for name, value in each["headers"] if name.lower() == "authorization"]
        assert given.startswith("Bearer ")
        assert given != f"Bearer {seen.targets['other_token']}"


@pytest.mark.parametrize(("number", "name", "holds"), TRIES, ids=[str(number) for number, _, _ in TRIES])
def test_wall(number, name, holds, seen, row, request):
    fact, user = "", request.node.callspec.params["seen"]
    try:
        fact = holds(seen)
        assert fact
    finally:
        row(number, "door", name, fact, user)
