"""What the tests of a base need: Python environments made in the sandbox, and fakes that need no set-up."""
