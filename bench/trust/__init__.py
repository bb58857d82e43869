"""Policies played over the lives of fleets whose every result is known."""
