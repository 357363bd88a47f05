"""A journey with the client that openapi-python-client makes: it submits a job, polls it, reads its result and an error.
tests/it/clients.rs generates the package `reelhook_client` from the served description, and runs this with its folder."""

import importlib
import json
import os
import pkgutil
import sys
import time

sys.path.insert(0, sys.argv[1])

import reelhook_client  # noqa: E402
from reelhook_client import AuthenticatedClient  # noqa: E402
from reelhook_client.api.jobs import generate_video, get_job  # noqa: E402
from reelhook_client.models import Error, Generated, GenerateRequest, JobAnswer  # noqa: E402

DEADLINE_S, POLL_S = 60, 0.2
# The generator does not import `Unset` for a body of several media types. Programs send a key instead of signing in.
BROKEN = {"reelhook_client.api.pages.sign_in"}


def import_all():
    """Imports each module: a name that is wrong in one shows here."""
    for module in pkgutil.walk_packages(reelhook_client.__path__, "reelhook_client."):
        if module.name not in BROKEN:
            importlib.import_module(module.name)


def submit(client):
    body = GenerateRequest(country="US", platform="netflix", genre="Horror", template="studio:step_ms=5")
    answer = generate_video.sync(client=client, body=body)
    assert isinstance(answer, Generated), answer
    return answer.job_id


def ended(client, job_id):
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        answer = get_job.sync(job_id, client=client)
        assert isinstance(answer, JobAnswer), answer
        if answer.job.status in ("completed", "failed"):
            return answer.job
        time.sleep(POLL_S)
    raise TimeoutError("the job did not end in time")


def refusal(client):
    """The error about a body without its genre."""
    body = GenerateRequest(country="US", platform="netflix", genre="")
    answer = generate_video.sync_detailed(client=client, body=body)
    assert isinstance(answer.parsed, Error), answer
    return f"{answer.status_code.value} {answer.parsed.code}"


def main():
    import_all()
    with AuthenticatedClient(base_url=os.environ["API"], token=os.environ["KEY"]) as client:
        job = ended(client, submit(client))
        print(json.dumps({"status": job.status.value, "videoUrl": job.video_url, "refusal": refusal(client)}))


main()
