"""When public models were released: for run records that name an agent and say nothing of its age.

Dates are those of METR's `data/external/release_dates.yaml` (METR/eval-analysis-public 52d6b56), under the names of
the public run records. What a file says of itself comes first.
"""

from collections.abc import Iterable
from datetime import date

__all__ = ["known_releases"]

INSPECT = " (Inspect)"  # the same models, run by another harness

PUBLIC = {
    "GPT-2": "2019-02-14",
    "davinci-002": "2020-05-28",
    "davinci-002 (GPT-3)": "2020-05-28",
    "gpt-3.5-turbo-instruct": "2022-03-15",
    "GPT-4 0314": "2023-03-14",
    "GPT-4 0613": "2023-06-13",
    "GPT-4 1106": "2023-11-06",
    "GPT-4 0125": "2024-01-25",
    "Claude 3 Opus": "2024-03-04",
    "Claude 3 Sonnet": "2024-03-04",
    "GPT-4 Turbo": "2024-04-09",
    "GPT-4o": "2024-05-13",
    "Qwen2-72B": "2024-06-07",
    "Claude 3.5 Sonnet (Old)": "2024-06-20",
    "GPT-4o mini": "2024-07-18",
    "o1-preview": "2024-09-12",
    "o1-preview (elicited)": "2024-09-12",
    "Qwen2.5-72B": "2024-09-19",
    "Claude 3.5 Sonnet (New)": "2024-10-22",
    "o1": "2024-12-05",
    "DeepSeek-V3": "2024-12-26",
    "DeepSeek-R1": "2025-01-20",
    "Claude 3.7 Sonnet": "2025-02-24",
    "DeepSeek-V3-0324": "2025-03-24",
    "o3": "2025-04-16",
    "o4-mini": "2025-04-16",
    "Claude 4 Opus": "2025-05-22",
    "Claude 4 Sonnet": "2025-05-22",
    "DeepSeek-R1-0528": "2025-05-28",
    "Gemini 2.5 Pro Preview": "2025-06-05",
    "Grok 4": "2025-07-09",
    "Claude 4.1 Opus": "2025-08-05",
    "gpt-oss-120b": "2025-08-05",
    "GPT-5": "2025-08-07",
    "Claude Sonnet 4.5": "2025-09-29",
    "Kimi K2 Thinking": "2025-11-06",
    "GPT-5.1-Codex-Max": "2025-11-19",
    "Claude Opus 4.5": "2025-11-24",
}


def known_releases(agents: Iterable[str]) -> dict[str, date]:
    """Give the release dates of those agents that bear the name of a public model."""
    named = ((agent, PUBLIC.get(agent.removesuffix(INSPECT))) for agent in agents)
    return {agent: date.fromisoformat(day) for agent, day in named if day is not None}
