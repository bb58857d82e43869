"""The embedded agent: automated program repair for Python, without a language model.

The folder is complete in itself: it is mounted into a sandbox and executed with the task's own interpreter, so it uses
the standard library only (Python 3.9 or newer), imports relatively only, and takes pytest from the task's environment.

    spec -> tree -> serve (collect, trace) -> localise -> templates (mine) -> search (serve) -> rank -> splice
"""
