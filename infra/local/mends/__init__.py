"""Patches of ministack where it differs from AWS: each function changes one behaviour and is independent of the others.

Remove a patch when upstream behaves like AWS; infra/local/checks shows that each still works.
"""
