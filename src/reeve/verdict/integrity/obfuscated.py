"""Code that hides what it does: from a reader, or from this check."""

import ast
import io
import re
import tokenize
import unicodedata
from collections.abc import Iterator

from reeve.records import Outcome
from reeve.verdict.integrity.finding import Seen
from reeve.verdict.integrity.source import IMPORTERS, Module, Site, folded, words

__all__ = ["hidden_text", "obfuscated"]

RUNS_TEXT = frozenset(("builtins.exec", "builtins.eval", "builtins.compile", "code.InteractiveInterpreter"))
DECODES = words(
    "base64.b64decode base64.b32decode base64.b16decode base64.b85decode base64.a85decode base64.decodebytes "
    "base64.urlsafe_b64decode base64.standard_b64decode zlib.decompress bz2.decompress lzma.decompress "
    "pickle.loads dill.loads gzip.decompress codecs.decode binascii.unhexlify binascii.a2b_hex binascii.a2b_base64 "
)
LOADS = frozenset(("marshal.loads", "marshal.load"))
ROOTS = frozenset(("builtins", "os", "sys", "builtins.__builtins__", "builtins.globals", "posix", "subprocess", "time"))
DIGESTS = frozenset(("hexdigest", "digest", "crc32", "adler32"))
HEXADECIMAL = re.compile(r"(?=.*\d)(?=.*[a-f])[0-9a-f]{8,128}")
LONG_LINE = 3000
SPACES = 120
# Others of the kind (a zero-width space) cannot stand in code, and do stand in tables of languages.
INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
LOOKALIKES = frozenset("АВЕКМНОРСТХУасеорхуіјѕԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧονı")  # noqa: RUF001 - this is what is looked for
CODINGS = ("utf-8", "utf8", "utf_8", "latin-1", "latin1", "iso-8859-1", "iso-8859-15", "ascii", "us-ascii", "cp1252")
CODING = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)


def obfuscated(module: Module) -> Iterator[Seen]:
    """Find strings that are run, blobs that are unpacked, computed names of modules, and characters nobody sees."""
    for site, dotted in module.mentions:
        if name := min(dotted & RUNS_TEXT, default=""):
            yield _seen("runs text", site, f"runs text as code ({name.removeprefix('builtins.')})", per_file=True)
        elif name := min(dotted & LOADS, default=""):
            yield _seen("loads", site, f"loads compiled code ({name})", per_file=True)
    # Functions are walked for digests, nested ones again and again: only where there is one at all.
    digests = any(isinstance(node, ast.Attribute) and node.attr in DIGESTS for node in module.nodes)
    tables = _tables_of_digests(module) if digests else frozenset()
    for site in module.sites:
        if isinstance(site.node, ast.Call):
            yield from _call(module, site, site.node)
        elif isinstance(site.node, ast.Subscript):
            yield from _computed(module, site, site.node.value, site.node.slice)
        elif digests and isinstance(site.node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not _fixed_digests(site.node, tables):
                continue
            yield _seen("digests", site, "compares digests of what it is given with fixed ones", per_file=True)
    yield from hidden_text(module.text)
    yield from _identifiers(module.text)


def _call(module: Module, site: Site, node: ast.Call) -> Iterator[Seen]:
    called = module.dotted(node.func, site)
    first = node.args[0] if node.args else None
    if called & DECODES or (isinstance(node.func, ast.Attribute) and node.func.attr == "fromhex"):
        blob = folded(first)
        if isinstance(blob, str | bytes) and len(blob) >= 16:
            yield _seen("unpacks", site, "unpacks a blob of text or code")
    elif called & {*IMPORTERS} and first is not None and not isinstance(folded(first), str):
        yield _seen("computed import", site, "imports a module by a computed name", per_file=True)
    elif "builtins.getattr" in called and len(node.args) > 1:
        yield from _computed(module, site, first, node.args[1])
    elif _spelt_out(node):
        yield _seen("spelt out", site, "puts a string together from character codes")


def _computed(module: Module, site: Site, owner: ast.expr | None, name: ast.expr) -> Iterator[Seen]:
    roots = {each.removesuffix(".__dict__") for each in module.dotted(owner, site)}
    if roots & ROOTS and folded(name) is None and not isinstance(name, ast.Slice):
        yield _seen("computed name", site, f"picks something of {min(roots & ROOTS)} by a computed name")


def _tables_of_digests(module: Module) -> frozenset[str]:
    """Name what the module keeps digests in."""
    found = set()
    for node in module.tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        parts = node.value.keys if isinstance(node.value, ast.Dict) else getattr(node.value, "elts", [])
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if texts and all(HEXADECIMAL.fullmatch(text) for text in texts):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


def _fixed_digests(function: ast.FunctionDef | ast.AsyncFunctionDef, tables: frozenset[str]) -> bool:
    """Find inputs that are recognised without being written out."""
    nodes = list(ast.walk(function))
    called = {each.func.attr for each in nodes if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)}
    texts = [each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    names = {each.id for each in nodes if isinstance(each, ast.Name)}
    return bool(called & DIGESTS) and (bool(names & tables) or any(HEXADECIMAL.fullmatch(text) for text in texts))


def _spelt_out(node: ast.Call) -> bool:
    """Find `bytes([112, 121, ...])` and `"".join(map(chr, [112, 121, ...]))`."""
    name = (
        node.func.id
        if isinstance(node.func, ast.Name)
        else node.func.attr
        if isinstance(node.func, ast.Attribute)
        else ""
    )
    if name not in ("bytes", "bytearray", "map", "join"):
        return False
    words = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    if name in ("map", "join") and not words & {"chr"}:
        return False
    return any(isinstance(each, ast.List | ast.Tuple) and _codes(each) for each in ast.walk(node))


def _codes(node: ast.List | ast.Tuple) -> bool:
    values = [each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, int)]
    letters = sum(chr(value).isalpha() for value in values if 32 <= value < 127)
    return len(values) == len(node.elts) >= 5 and letters > 0.6 * len(values)


def hidden_text(text: str) -> Iterator[Seen]:
    """Find what a reader of the text does not see: invisible characters, code far to the right, another encoding."""
    for number, line in enumerate(text.split("\n"), start=1):
        if number <= 2 and (found := CODING.match(line)) and found[1].lower().replace("_", "-") not in _codings():
            yield Seen("coding", number, "", Outcome.UNVERIFIED, f"is written in the unusual encoding {found[1][:20]}")
        if found := INVISIBLE.search(line):
            name = unicodedata.name(found[0], "a control character").lower()
            yield Seen(f"invisible {line}", number, "", Outcome.UNVERIFIED, f"has an invisible character ({name})")
        if len(line) > LONG_LINE:
            yield Seen("long line", number, "", Outcome.UNVERIFIED, f"has a line of {len(line)} characters")
        if " " * SPACES in line and line.strip().find(" " * SPACES) > 0:
            yield Seen("spaces", number, "", Outcome.UNVERIFIED, "has something far to the right of a line")


def _codings() -> frozenset[str]:
    return frozenset(name.replace("_", "-") for name in CODINGS)


def _identifiers(text: str) -> Iterator[Seen]:
    """Find names that only look like other names."""
    if not any(map(_deceives, {*text})):  # to take a text apart costs more than all else that is asked of it
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and not token.string.isascii():
                mixed = LOOKALIKES & {*token.string} and any(char.isascii() and char.isalpha() for char in token.string)
                folds = unicodedata.normalize("NFKC", token.string).isascii()
                if mixed or folds:
                    shown = token.string[:40]
                    said = f"has a name that only looks like another ({shown})"
                    yield Seen(f"lookalike {shown}", token.start[0], "", Outcome.UNVERIFIED, said)
    except (tokenize.TokenError, SyntaxError):
        return


def _deceives(char: str) -> bool:
    """Say whether a character in a name can make it look like another name."""
    if char.isascii() or not char.isalnum():
        return False
    return char in LOOKALIKES or unicodedata.normalize("NFKC", char).isascii()


def _seen(what: str, site: Site, text: str, *, per_file: bool = False) -> Seen:
    line = getattr(site.node, "lineno", 0)
    return Seen(f"hides {what}", line, site.scope, Outcome.UNVERIFIED, text, per_file)
