"""Write the built-in price table anew, from the package genai-prices (MIT), which keeps what providers publish.

    python scripts/prices.py        (in an environment with genai-prices)

Only models that answer with text are taken, and of every price only the newest.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import types
from genai_prices.data import providers

TABLE = Path(__file__).parents[1] / "src" / "reeve" / "adapters" / "gateway" / "prices.toml"
PROVIDERS = ("anthropic", "openai", "google")
OTHER = re.compile(
    r"audio|image|imagen|tts|whisper|embed|realtime|live|transcribe|moderation|davinci|veo|lyria|babbage|ada|computer-use"
    r"|claude-(1|2|v1|instant)|gemini-(1|pro)|gpt-3|robotics|deep-research|search|translate|video|omni"
)
FIELDS = {
    "input": "input_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "output": "output_mtok",
    "web_search": "web_searches_kcount",
}
HEAD = """\
# Dollars per million tokens; `web_search`: per thousand searches; docs/gateway.md says what each key means.
# Written by scripts/prices.py from genai-prices {version} (MIT, github.com/pydantic/genai-prices), which names for each
# price the provider's page and the day it was checked. Do not edit: a file of your own goes first.

source = "genai-prices {version}"
"""


def patterns(clause: Any) -> Iterator[str]:
    """Say as globs which names of a model fit."""
    match clause:
        case types.ClauseOr(or_=several):
            for each in several:
                yield from patterns(each)
        case types.ClauseEquals(equals=name):
            yield name
        case types.ClauseStartsWith(starts_with=start):
            yield f"{start}*"
        case types.ClauseAnd(and_=[types.ClauseStartsWith(starts_with=start), *_]):
            yield f"{start}*"
        case types.ClauseRegex(regex=text):
            dated = (
                re.sub(r"\\d\{8\}|\\d\{4\}-\\d\{2\}-\\d\{2\}", "20*", text.strip("^$"))
                .replace("\\.", ".")
                .replace("\\d", "[0-9]*")
            )
            yield from (dated.replace("[-@]", mark) for mark in (("-", "@") if "[-@]" in dated else ("",)))


def entries(model: Any) -> Iterator[dict[str, object]]:
    """Give the price of a model, and one for each length of the input from which another holds."""
    price = model.prices[-1].prices if isinstance(model.prices, list) else model.prices
    values = {key: getattr(price, name, None) for key, name in FIELDS.items()}
    steps = {tier.start for value in values.values() for tier in getattr(value, "tiers", ())}
    for above in sorted({0, *steps}):
        yield {"above": above, **{key: number(value, above) for key, value in values.items() if value is not None}}


def number(value: Any, above: int) -> float:
    """Give what a price is above a length of the input."""
    reached = [tier.price for tier in getattr(value, "tiers", ()) if tier.start <= above]
    return float(reached[-1] if reached else getattr(value, "base", value))


def main() -> None:
    """Write the table."""
    parts = [HEAD.format(version=version("genai-prices"))]
    for provider in (each for name in PROVIDERS for each in providers if each.id == name):
        for model in provider.models:
            names = [name for name in dict.fromkeys(patterns(model.match)) if "/" not in name]
            if OTHER.search(model.id) or not names or (provider.id == "google" and "gem" not in model.id):
                continue
            for entry in entries(model):
                if "input" in entry and "output" in entry:
                    lines = [f"{key} = {value:g}" for key, value in entry.items() if key != "above" or value]
                    shown = ", ".join(f'"{name}"' for name in names)
                    parts.append("\n".join(["[[price]]", f"models = [{shown}]", *lines]) + "\n")
    TABLE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
