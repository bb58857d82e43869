"""The deck: a page on the fleet for the person who answers for it; reads the ledger, calls the flow, decides nothing."""

from reeve.web.deck.app import Deck, deck

__all__ = ["Deck", "deck"]
