"""What reeve puts into a sandbox to run pytest: stand-alone, for the task's own interpreter (3.8 and newer)."""
