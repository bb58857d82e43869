"""The four APIs that agents speak, each read into one form and answered in its own."""
