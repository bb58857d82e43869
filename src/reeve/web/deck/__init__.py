"""The deck: pages on the fleet for whoever answers for it; reads the ledger, calls the flow, decides nothing."""

from reeve.web.deck.app import Deck, deck

__all__ = ["Deck", "deck"]
