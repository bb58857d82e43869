"""A model server that says what stands in a script: for tests, and for trying things out before paying for them."""
