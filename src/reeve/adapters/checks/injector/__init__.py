"""What a drill asks inside the sandbox: where small defects can be put, and which lines the tests run.

Programs of their own, for the task's interpreter (Python 3.8 and newer):

    sites   lists small defects of source files, by the `examiner` and `repair` that are bound beside it; imports
            nothing of the project
    trace   runs pytest as the checks do, and says which lines of those files were run
"""
