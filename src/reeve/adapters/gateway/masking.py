"""Takes a key out of an answer while it passes, without making it shorter or later than it is."""

__all__ = ["Masking"]


class Masking:
    """Replaces each occurrence of a key by as many stars, also one that comes in pieces.

    Only what may be the beginning of the key is held back, until the next piece shows whether it is.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._stars = b"*" * len(self._key)
        self._held = b""

    def pass_on(self, piece: bytes) -> bytes:
        """Return what may be passed on now, which may be nothing."""
        if not self._key:
            return piece
        whole = (self._held + piece).replace(self._key, self._stars)
        start = self._beginning(whole)
        self._held = whole[start:]
        return whole[:start]

    def end(self) -> bytes:
        """Return what was held back, which was no key after all."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, whole: bytes) -> int:
        """Find where the tail begins that is a beginning of the key; the length, if none is."""
        start = whole.find(self._key[:1], max(0, len(whole) - len(self._key) + 1))
        while start >= 0 and not self._key.startswith(whole[start:]):
            start = whole.find(self._key[:1], start + 1)
        return start if start >= 0 else len(whole)
