"""What an agent wrote, made safe to show: no escape sequence, no bidirectional trick, no undecodable byte survives."""

import re

__all__ = ["one_line", "plain"]

# C0 and C1 controls without newline and tab; lone surrogates; and everything invisible that can reorder or hide
# text (bidirectional controls, zero-width characters, line and paragraph separators, tags, the byte order mark).
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def plain(text: str) -> str:
    r"""Show every character that a terminal or browser would obey instead of print; newlines and tabs stay.

    Control characters become their pictures (ESC becomes U+241B), undecodable bytes ``\xNN``, the rest ``<U+NNNN>``.
    """
    return _UNSAFE.sub(_shown, text)


def one_line(text: str, width: int | None = None) -> str:
    """Put text on one line of at most `width` characters; None: as long as it is."""
    line = " ".join(plain(text).split())
    if width is None or len(line) <= width:
        return line
    return line[: max(width - 1, 0)].rstrip() + "…"


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"<U+{code:04X}>"
