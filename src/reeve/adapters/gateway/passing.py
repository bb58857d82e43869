"""What happens to an answer on its way to the agent: unpacked if compressed, without the key, else as it comes."""

from reeve.adapters.gateway.masking import Masking
from reeve.adapters.gateway.told_usage import Withholding
from reeve.adapters.gateway.unpacked import unpacking

__all__ = ["Passing"]


class Passing:
    """Reads pieces of an answer, and says what of each is passed on; raises Illegible for what cannot be read."""

    def __init__(self, key: str, encoding: str, *, withholds_usage: bool) -> None:
        self._unpacking = unpacking(encoding)
        self._withholding = Withholding() if withholds_usage else None
        self._masking = Masking(key)

    def read(self, piece: bytes) -> bytes:
        """Return what stands in a piece as it came; once for each, in their order."""
        return self._unpacking.pass_on(piece)

    def pass_on(self, content: bytes) -> bytes:
        """Return what may be passed on now, which may be nothing."""
        return self._masking.pass_on(self._withholding.pass_on(content) if self._withholding else content)

    def end(self) -> bytes:
        """Return what was held back to the end."""
        left = self._masking.pass_on(self._withholding.end()) if self._withholding else b""
        return left + self._masking.end()
