"""`make bench-verifier`: how often the verifier is right about patches whose truth is known."""
