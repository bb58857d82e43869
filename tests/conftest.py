"""Its folder is on the import path of all tests, so that they can share `stories.py`."""
