"""Kills the processes of functions on this machine."""

import os
import pathlib
import signal


def kill(stack, functions=None):
    """Kills the processes of these or all functions of a local stack, as in a crash. Returns their number."""
    deployed = stack.functions()
    names = deployed.values() if functions is None else [deployed[name] for name in functions]
    names = {f"AWS_LAMBDA_FUNCTION_NAME={name}".encode() for name in names}
    endpoint = f"AWS_ENDPOINT_URL={os.environ['AWS_ENDPOINT_URL']}".encode()
    killed = 0
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = set((entry / "environ").read_bytes().split(b"\0"))
            if endpoint in environment and environment & names:
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return killed
