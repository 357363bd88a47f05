"""Runs checks of a deployment and prints their results.

A check is a generator of results, each a kind (`ok`, `note` or `stop`) and a message. The first line of its docstring names it.
"""

from botocore.exceptions import BotoCoreError, ClientError

from commands.cloud import say


def run(checks, deployment, obstacle="stop"):
    """Prints a line for each result, and returns how many there are of each kind. `obstacle` is printed instead of `stop`.

    A check that the caller's permissions do not allow is a note.
    """
    counts = {"ok": 0, "note": 0, obstacle: 0}
    for check in checks:
        try:
            results = list(check(deployment))
        except (ClientError, BotoCoreError) as error:
            results = [("note", f"could not check {check.__doc__.splitlines()[0].rstrip('.').lower()}: {error}")]
        for kind, message in results:
            kind = obstacle if kind == "stop" else kind
            say(f"{kind:<5} {message}")
            counts[kind] += 1
    return counts
