"""What is taken for what: operators, functions and methods that get confused, with the cost of each confusion."""

# ruff: noqa: E501  (a table reads better in long rows)

from __future__ import annotations

import ast

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
COMPARISON_SWAPS = {
    "<": {"<=": 1.0, ">": 1.1, ">=": 1.3, "!=": 1.8, "==": 1.6}, "<=": {"<": 1.0, ">=": 1.1, ">": 1.3, "==": 1.6, "!=": 2.0},
    ">": {">=": 1.0, "<": 1.1, "<=": 1.3, "!=": 1.8, "==": 1.6}, ">=": {">": 1.0, "<=": 1.1, "<": 1.3, "==": 1.6, "!=": 2.0},
    "==": {"!=": 1.0, "<=": 1.4, ">=": 1.4, "<": 1.4, ">": 1.4, "is": 1.8, "in": 1.9},
    "!=": {"==": 1.0, "<": 1.8, ">": 1.8, "<=": 2.2, ">=": 2.2, "is not": 1.8, "not in": 2.0},
    "is": {"is not": 1.0, "==": 1.2}, "is not": {"is": 1.0, "!=": 1.2},
    "in": {"not in": 1.0, "==": 1.9}, "not in": {"in": 1.0, "!=": 1.9},
}  # fmt: skip
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.MatMult: "@",
}  # fmt: skip
OPERATOR_SWAPS = {
    "+": {"-": 1.0, "*": 1.6, "//": 2.4, "%": 2.4, "/": 2.4, "|": 2.6},
    "-": {"+": 1.0, "*": 2.0, "%": 2.2, "/": 2.3, "//": 2.3, "^": 2.6, "&": 2.6},
    "*": {"/": 1.2, "**": 1.3, "+": 1.5, "//": 1.5, "%": 1.9, "-": 2.0}, "/": {"//": 1.0, "*": 1.1, "%": 1.2, "-": 2.2, "+": 2.4},
    "//": {"/": 1.0, "%": 1.1, "*": 1.4, "-": 2.3, "+": 2.4}, "%": {"//": 1.0, "/": 1.2, "*": 1.8, "-": 2.2, "+": 2.2},
    "**": {"*": 1.0, "+": 2.2, "//": 2.4}, "&": {"|": 1.0, "^": 1.2, "-": 1.8}, "|": {"&": 1.0, "^": 1.2, "+": 2.0},
    "^": {"&": 1.0, "|": 1.0, "**": 1.4}, "<<": {">>": 1.0, "*": 2.0}, ">>": {"<<": 1.0, "//": 2.0}, "@": {"*": 1.5},
}  # fmt: skip
CONFUSED = [
    ["min", "max"], ["any", "all"], ["sum", "len", "max", "min"], ["floor", "ceil", "round", "int", "trunc"],
    ["sorted", "reversed", "list"], ["list", "tuple", "set", "sorted", "frozenset"], ["int", "float", "round", "str", "ord"],
    ["str", "repr", "ascii"], ["ord", "chr", "int"], ["isinstance", "issubclass"], ["getattr", "hasattr"],
    ["range", "enumerate", "len"], ["zip", "zip_longest", "enumerate"], ["abs", "int", "float", "round"], ["bin", "hex", "oct", "str"],
    ["dict", "OrderedDict", "defaultdict"], ["map", "filter"], ["chain", "from_iterable"],
]  # fmt: skip
METHODS = [
    ["append", "extend", "insert", "add", "appendleft"], ["add", "update", "append", "discard"], ["pop", "remove", "discard", "popleft", "popitem"],
    ["lower", "upper", "swapcase", "title", "capitalize", "casefold"], ["islower", "isupper", "istitle"],
    ["isdigit", "isnumeric", "isdecimal", "isalnum", "isalpha", "isspace"], ["strip", "lstrip", "rstrip"],
    ["startswith", "endswith"], ["find", "rfind", "index", "rindex", "count"], ["split", "rsplit", "splitlines", "partition", "rpartition"],
    ["keys", "values", "items"], ["get", "pop", "setdefault"], ["union", "intersection", "difference", "symmetric_difference"],
    ["issubset", "issuperset", "isdisjoint"], ["ljust", "rjust", "center", "zfill"], ["encode", "decode"], ["sort", "reverse"],
    ["match", "search", "fullmatch", "findall", "finditer"], ["read", "readline", "readlines"], ["write", "writelines"],
    ["replace", "translate", "sub"], ["acquire", "release"], ["start", "stop"], ["partition", "split"], ["removeprefix", "removesuffix"],
    ["union", "update"], ["setUp", "tearDown"], ["total_seconds", "seconds"], ["debug", "info", "warning", "error"], ["open", "close"],
]  # fmt: skip
WRAPS = {
    "int": ["abs", "str", "float", "bin", "chr", "range"], "float": ["int", "abs", "round", "str"],
    "str": ["int", "len", "list", "sorted", "float", "set", "reversed", "ord"],
    "list": ["len", "sorted", "set", "sum", "max", "min", "tuple", "list", "reversed", "dict"], "range": ["list", "len"],
    "dict": ["len", "list", "dict", "sorted"], "set": ["len", "list", "sorted"], "tuple": ["list", "len", "sorted", "max", "min", "sum"],
    "bool": ["not", "int"], "?": ["len", "abs", "str", "int", "list", "sorted", "set", "tuple", "float", "max", "min", "sum", "bool"],
}  # fmt: skip
SUFFIXES = {
    "str": [".lower()", ".upper()", ".strip()", "[::-1]", ".split()", "[0]", "[-1]", "[1:]", "[:-1]", ".swapcase()"],
    "list": ["[::-1]", "[0]", "[-1]", "[1:]", "[:-1]", ".copy()", "[:]"], "tuple": ["[0]", "[-1]", "[1]", "[1:]"],
    "dict": [".keys()", ".values()", ".items()", ".copy()"], "set": [".copy()"], "deque": [".copy()"],
    "?": ["()", "[0]", "[-1]", "[1:]", "[::-1]", ".copy()"],
}  # fmt: skip
PAIRED = {
    "<": ">",
    ">": "<",
    "(": ")",
    ")": "(",
    "[": "]",
    "]": "[",
    "{": "}",
    "}": "{",
    "+": "-",
    "-": "+",
    "/": "\\",
    "*": "+",
}
