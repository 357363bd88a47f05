"""What `stack.py` can do, a module for each subject."""
