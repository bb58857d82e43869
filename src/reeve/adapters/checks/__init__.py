"""How results are measured: pytest, JUnit XML of any other runner, commands; one entry, `measure.SandboxedCheck`."""
