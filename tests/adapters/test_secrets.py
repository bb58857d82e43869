"""Secrets and size: credentials in added lines, and what is too large or too binary to be read."""

import pytest

from reeve.adapters.checks.secrets import contents
from reeve.records import Change, Outcome, RepoSource, SourceChange, Task

TASK = Task("t", "fix it", RepoSource(path="."))
PASSED, FAILED, UNVERIFIED = Outcome.PASSED, Outcome.FAILED, Outcome.UNVERIFIED
BASE64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
LETTERS = "q8Rf3kZv1TnYw6LsXb2HmDc9JpGe5AuQoKi7VxNt4EyWzBhSrFjCaMdPlUgOq0R"

# Put together here, so that nothing in this file looks like one.
SECRETS = {
    "Private Key": f"KEY = '''-----BEGIN RSA {'PRIVATE'} KEY-----\n{BASE64}\n'''",
    "AWS Access Key": "key = 'AKIA" + "Q3EGRTHZ7WLMX2ND'",
    "GitHub Token": "token = 'ghp" + f"_{LETTERS[:36]}'",
    "GitLab Token": "token = 'glpat" + f"-{LETTERS[:20]}'",
    "Slack Token": "token = 'xoxb" + "-482915537016-abcdefGHIJ'",
    "Stripe Access Key": "key = 'sk_" + f"live_{LETTERS[:24]}'",
    "Google API key": "key = 'AI" + f"za{LETTERS[:35]}'",
    "JSON Web Token": "jwt = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJzdWIiOiI0NzExIiwibmFtZSI6IkFubmEifQ.c2lnbmF0dXJl'",
    "Basic Auth Credentials": "url = 'https://anna:" + "vR7kq2Lw@git.company.org/x'",
    "NPM tokens": "//registry.npmjs.org/:_auth" + f"Token=npm_{LETTERS[:36]}",
    "Anthropic key": "key = 'sk-ant" + f"-api03-{LETTERS}{LETTERS[:20]}'",
}  # fmt: skip


def look(after, before="", path="src/a.py", task=TASK, kind="modified", **more):
    """Check one changed file."""
    change = SourceChange(path, before.encode(), after.encode() if isinstance(after, str) else after)
    return contents(task, (change,), (Change(path, kind, **more),))


@pytest.mark.parametrize("kind", SECRETS)
def test_a_credential_fails_and_is_not_repeated(kind):
    found = look(f"import os\n{SECRETS[kind]}\n", "import os\n")
    assert found.outcome is FAILED
    assert found.evidence[0].startswith(f"src/a.py:2 looks like a credential: {kind}, beginning with ")
    assert "vR7kq2Lw" not in str(found)
    assert max(len(word.strip("'")) for line in found.evidence for word in line.split(" beginning with ")[1:]) <= 4


@pytest.mark.parametrize("kind", SECRETS)
def test_what_was_there_or_goes_is_nothing(kind):
    assert look(f"import os\n{SECRETS[kind]}\nx = 1\n", f"import os\n{SECRETS[kind]}\n").outcome is PASSED
    assert look("", SECRETS[kind]).outcome is PASSED
    moved = f"def f():\n    {SECRETS[kind]}\n"
    assert look(moved, SECRETS[kind]).outcome is PASSED


@pytest.mark.parametrize(
    "line",
    [
        "if b'-----BEGIN " + "PRIVATE KEY-----' in data:",
        "url = 'https://user:password@example.com/'",
        "url = 'postgresql://scott:tiger@localhost:5432/db'",
        "url = 'https://anna:" + "changeme@git.company.org/'",
        "url = f'https://{user}:{password}@{host}'",
        "url = 'https://%s:%s@%s' % (user, password, host)",
        "key = 'AKIA" + "IOSFODNN7EXAMPLE'",
        "token = 'ghp_" + "x" * 36 + "'",
        "digest = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'",
        "password = 'hunter2-and-more'",
        "api_key = os.environ['API_KEY']",
        "x = 'eyJhbGciOi.not-a-token'",
        "AC_NAMES = 'APACHE APPLICATION AKCENT'",
    ],
)
def test_what_honest_code_says_is_no_credential(line):
    assert look(line + "\n").outcome is PASSED


def test_a_credential_far_to_the_right_is_found():
    assert look("x = '" + "a " * 3000 + "' ; " + SECRETS["GitHub Token"]).outcome is FAILED


def test_a_task_cannot_ask_for_a_credential():
    task = Task("t", "", RepoSource(path="."), may_change=("**",))
    assert look(SECRETS["AWS Access Key"], task=task).outcome is FAILED


# ---------------------------------------------------------------- size


@pytest.mark.parametrize(
    ("after", "more", "said"),
    [
        (b"\x89PNG\r\n\0\0", {"binary": True}, "is a binary file (modified)"),
        (b"a\0b", {}, "is a binary file"),
        ("x = 1\n" * 200_000, {"kind": "added"}, "is a new file of 1.1 MB"),
        ("x", {"lines_added": 4000, "lines_removed": 1001}, "5001 lines"),
    ],
)
def test_what_nobody_reads_goes_to_a_person_unless_the_task_asks_for_it(after, more, said):
    found = look(after, **more)
    assert found.outcome is UNVERIFIED
    assert said in found.evidence[0]
    asked = Task("t", "", RepoSource(path="."), may_change=("src/*",))
    assert look(after, task=asked, **more).outcome is PASSED


def test_what_cannot_be_looked_at_goes_to_a_person():
    changes = (Change("big.bin", "added"), Change("gone", "deleted"))
    found = contents(TASK, (), changes)
    assert (found.outcome, found.evidence) == (UNVERIFIED, ("big.bin is larger than what can be looked at, or a link",))


def test_the_search_is_bounded_and_says_so():
    found = look("//a:_authToken=" + "é" * 1_000_000 + "\n" + "eyJ." * 100)
    assert found.outcome in (UNVERIFIED, PASSED)
    endless = "\n".join(f"value = {number}" for number in range(100_000, 160_000))
    found = look(endless)
    assert found.outcome is UNVERIFIED
    assert "too large to be searched" in found.evidence[0]


def test_evidence_is_bounded():
    lines = "\n".join(SECRETS["GitHub Token"].replace("q8Rf", f"{number:04}") for number in range(100))
    found = look(lines)
    assert len(found.evidence) == 11
    assert found.evidence[-1] == "and 90 more"
