"""reeve runs a fleet of background agents on a backlog, proves every result independently and lands what passes."""

__all__ = ["__version__"]

__version__ = "0.1.0"
