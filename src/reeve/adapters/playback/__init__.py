"""A model server that says what is written in a script: for tests, and for trying a configuration before paying for it."""
