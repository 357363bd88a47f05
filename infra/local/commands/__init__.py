"""The commands of `stack.py`, one module per subject."""
