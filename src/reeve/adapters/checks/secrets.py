"""Secrets and size: what a patch brings along that no patch should.

What credentials look like is the knowledge of detect-secrets: of it, only patterns of one kind of credential each are
used. Entropy and suspicious variable names find too much in honest code, and its checks of whether a credential works
call out, so its scanner is not used at all: nothing here reads a file, a setting or the network. What a credential is
goes into no sentence.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector

from reeve.globs import matching
from reeve.records import Change, CheckResult, Outcome, SourceChange, Task
from reeve.units import plural

__all__ = ["contents"]

LARGE_BYTES = 10**6  # of an added file
LARGE_LINES = 5_000  # of a patch
WINDOW = 2_048  # characters looked at together: patterns are not made for endless lines
OVERLAP = 512
MAX_WINDOWS = 50_000
MAX_CHARACTERS = 6_000_000
SHORTEST = 12  # characters of a line that can hold a credential
SHOWN = 10  # sentences of each kind

DETECTORS: tuple[type[RegexBasedDetector], ...] = (
    AWSKeyDetector,
    AzureStorageKeyDetector,
    BasicAuthDetector,
    DiscordBotTokenDetector,
    GitHubTokenDetector,
    GitLabTokenDetector,
    JwtTokenDetector,
    MailchimpDetector,
    NpmDetector,
    OpenAIDetector,
    PrivateKeyDetector,
    PypiTokenDetector,
    SendGridDetector,
    SlackDetector,
    SquareOAuthDetector,
    StripeDetector,
    TelegramBotTokenDetector,
)
"""Patterns of one kind each. Left out are those that honest words match (Artifactory, Twilio, IBM, addresses)."""

KEY, URL, JWT = "Private Key", "Basic Auth Credentials", "JSON Web Token"

OTHERS = {
    "GitHub Token": r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "Google API key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "Google OAuth secret": r"\bGOCSPX-[0-9A-Za-z_-]{28}\b",
    "Anthropic key": r"\bsk-ant-[a-z0-9]+-[0-9A-Za-z_-]{80,}",
    "OpenAI key": r"\bsk-(?:proj|svcacct|admin)-[0-9A-Za-z_-]{60,}",
    "Hugging Face token": r"\bhf_[A-Za-z]{34}\b",
    "Docker token": r"\bdckr_pat_[0-9A-Za-z_-]{27}\b",
    KEY: r"BEGIN ENCRYPTED PRIVATE KEY",
}
"""What detect-secrets does not know."""

MARKERS = {URL: "@", JWT: "eyJ", "NPM tokens": ":_authToken="}
"""What must stand in a line before a slow pattern is tried on it."""

NO_HOST = re.compile(r"@(localhost|127\.|[\w.-]*example|host\b|hostname\b|server\b|proxy\b|db\b|[\w.-]*\.test\b)")

HEADERS = 6  # lines between the first line of a private key and the key
MATERIAL = re.compile(r"[A-Za-z0-9+/=]{40}")
PLACEHOLDERS = re.compile(
    r"^(?:|\W+|x+|pass(?:word|wd|phrase)?\d*|pwd|pw|secret\w*|token|key|changeme|foobar|foo|bar|baz|test\w*|example|"
    r"user(?:name)?|admin|guest|root|anonymous|scott|tiger|hunter2|postgres|mysql|mypass\w*|my_?password|1234\w*|abcd?\w*|"
    r"your[\w-]*|some\w*|credentials?|api_?key|p|pw|pass_?word|redacted|hidden|dummy\w*|fake\w*|sample\w*)$",
    re.IGNORECASE,
)
EXAMPLE = re.compile(r"EXAMPLE|\.\.\.|<[\w -]+>|\$\{?\w|\{\w*\}|%\(?\w|xxxx|\*\*\*|0000000|1234567890", re.IGNORECASE)


def contents(task: Task, examined: Sequence[SourceChange], changes: Sequence[Change]) -> CheckResult:
    """Say what looks like a credential in the added lines, and what is too large or too binary to be read.

    `examined` are the files that would land, against the base; `changes` every path in which the two trees differ
    (also what is no regular file, or too large for `examined`). A task that declares a path (`may_change`) asks for
    it, whatever its size or kind, but never for a credential.
    """
    found, complete = _credentials(examined)
    if found:
        return CheckResult("contents", Outcome.FAILED, tuple(_cut(found)))
    doubts = list(_surprises(task, examined, changes))
    if not complete:
        doubts.append("the added text is too large to be searched for credentials to its end")
    if doubts:
        return CheckResult("contents", Outcome.UNVERIFIED, tuple(_cut(doubts)))
    return CheckResult("contents", Outcome.PASSED, ("no credential and no large or binary file among what was added",))


# ---------------------------------------------------------------- credentials


def _credentials(examined: Sequence[SourceChange]) -> tuple[list[str], bool]:
    """Describe what looks like a credential; also says whether everything was looked at."""
    known = "\n".join((change.before or b"").decode("utf-8", "replace") for change in examined)
    found: list[str] = []
    windows = characters = 0
    for change in examined:
        lines = _added(change)
        seen: set[str] = set()
        for at, (number, line) in enumerate(lines):
            if len(line) < SHORTEST or line in seen:
                continue
            seen.add(line)
            for window in _windows(line):
                windows, characters = windows + 1, characters + len(window)
                if windows > MAX_WINDOWS or characters > MAX_CHARACTERS:
                    return found, False
                below = "\n".join(text[:WINDOW] for _, text in lines[at + 1 : at + 1 + HEADERS])
                for kind, text in _looks_like(window, below):
                    if text not in known:  # what was moved is not new
                        found.append(f"{change.path}:{number} looks like a credential: {kind}, {_hidden(text)}")
    return list(dict.fromkeys(found)), True


def _looks_like(line: str, below: str) -> Iterator[tuple[str, str]]:
    """Give the kind and the text of every credential in a line; `below` is what was added after it."""
    for kind, patterns in _patterns().items():
        if MARKERS.get(kind, "") not in line:
            continue
        for match in (match for pattern in patterns for match in pattern.finditer(line)):
            if kind == KEY and not MATERIAL.search(line[match.end() :] + "\n" + below):
                continue  # code that reads such files names their first line
            if kind == URL:
                if not _password(match[1], line[max(0, match.start() - 40) : match.end() + 60]):
                    continue
            elif EXAMPLE.search(match[0]) or len({*match[0]}) < 8 or not _valid(kind, match[0]):
                continue
            yield kind, match[0]


def _password(password: str, around: str) -> bool:
    """Say whether a password in an address may be a real one."""
    if len(password) < 6 or PLACEHOLDERS.match(password) or EXAMPLE.search(password):
        return False
    user = around.rpartition("://")[2].partition(":")[0]
    return user != password and NO_HOST.search(around) is None


def _valid(kind: str, text: str) -> bool:
    return kind != JWT or JwtTokenDetector.is_formally_valid(text)


@cache
def _patterns() -> dict[str, list[re.Pattern[str]]]:
    # The types of the library describe these two as methods; they are attributes of each class.
    found: dict[str, list[re.Pattern[str]]] = {
        vars(each)["secret_type"]: [*vars(each)["denylist"]] for each in DETECTORS
    }
    return found | {kind: [*found.get(kind, []), re.compile(pattern)] for kind, pattern in OTHERS.items()}


def _hidden(text: str) -> str:
    """Show as much of a credential as is needed to find it, and no more."""
    return f"beginning with {text[:4]!r}"


def _added(change: SourceChange) -> list[tuple[int, str]]:
    left = Counter((change.before or b"").decode("utf-8", "replace").split("\n"))
    found = []
    for number, line in enumerate((change.after or b"").decode("utf-8", "replace").split("\n"), start=1):
        if left[line] > 0:
            left[line] -= 1
        else:
            found.append((number, line))
    return found


def _windows(line: str) -> Iterator[str]:
    for start in range(0, max(1, len(line) - OVERLAP), WINDOW - OVERLAP):
        yield line[start : start + WINDOW]


# ---------------------------------------------------------------- size


def _surprises(task: Task, examined: Sequence[SourceChange], changes: Sequence[Change]) -> Iterator[str]:
    """Describe what a person would not expect in a patch, unless the task asks for it."""
    asked = matching(task.may_change)
    sources = {change.path: change for change in examined}
    lines = 0
    for change in changes:
        if asked.fullmatch(change.path):
            continue
        lines += change.lines_added + change.lines_removed
        if change.kind == "deleted":
            continue
        source = sources.get(change.path)
        content = source.after if source is not None else None
        if change.binary or (content is not None and b"\0" in content[:8192]):
            yield f"{change.path} is a binary file ({change.kind})"
        elif content is not None and len(content) > LARGE_BYTES and change.kind == "added":
            yield f"{change.path} is a new file of {len(content) / 2**20:.1f} MB"
        elif source is None:
            yield f"{change.path} is larger than what can be looked at, or a link"
    if lines > LARGE_LINES:
        yield f"the patch has {plural(lines, 'line')}, more than {LARGE_LINES} that anybody would read"


def _cut(found: Sequence[str]) -> Iterator[str]:
    yield from found[:SHOWN]
    if len(found) > SHOWN:
        yield f"and {len(found) - SHOWN} more"
