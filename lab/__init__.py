"""A network lab in containers: hosts with real addresses, scripted conversations, verdicts with evidence."""

__version__ = "0.1.0"
