"""Doubts a result inside a sandbox: runs its tests again differently, then looks for what they do not need or notice.

A program of its own, for the task's interpreter (Python 3.8 and newer, pytest 6 and newer): it imports relatively, and
`repair.*`, the package of the repair agent that is bound beside it. What it is made of, by how far it is to be trusted:

    examination  never imports the project: holds the secrets, decides the order, judges every message, writes the
                 report; `__main__` starts it
    told         what is said of tests, and whether it fits
    order        which test is run when and with which others
    process      what processes say to each other, and what the kernel is asked
    again        forked from it, imports the project: collects the tests and forks again for every group that it runs;
                 at the end it is the warm process of who explores
    explore      forked from it too: takes parts of the patch away and puts defects in
"""
