"""How often reviewers err, as `reeve trust`, `reeve policy` and the deck say it."""

from reeve.ledger.audits import Results
from reeve.ledger.reviewing import ReviewersFound, reviewers_found
from reeve.ports import Store
from reeve.settings import Settings

__all__ = ["reviewers_of"]


def reviewers_of(settings: Settings, store: Store, results: Results) -> ReviewersFound:
    """Estimate it from what the ledger holds now."""
    judged = (each for some, _ in results.all().values() for each in some)
    terms = settings.trust
    return reviewers_found(store, judged, terms.highest_escape_rate, terms.seeded_share)
