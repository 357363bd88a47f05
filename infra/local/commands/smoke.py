"""A few calls against a stack on AWS: are requests refused without a key, and does a job begin with one?"""

import json
import time
import urllib.error
import urllib.request

from commands.cloud import Problem, say

JOB = {"country": "US", "platform": "Netflix", "genre": "Horror", "contentType": "Film"}


def call(url, key=None, body=None):
    """Status and JSON body."""
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, body and json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=35) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        text = error.read()
        try:
            return error.code, json.loads(text)
        except ValueError:
            return error.code, text.decode(errors="replace")
    except urllib.error.URLError as error:
        raise Problem(f"{url} can't be reached: {error.reason}") from error


def smoke(stack, key):
    """Submits one job. Raises a Problem at the first answer that is not as it should be."""
    api = stack.outputs().get("ApiUrl")
    if not api:
        raise Problem(f"the stack `{stack.name}` has no output ApiUrl")
    api = api.rstrip("/")

    def expect(sentence, wanted, *request, **kw):
        status, body = call(*request, **kw)
        if status != wanted:
            raise Problem(f"{sentence}: expected {wanted}, got {status}: {json.dumps(body)[:500]}")
        say(f"ok   {sentence}: {status}")
        return body

    expect("a job that is not there, without a key", 401, f"{api}/api/job/job_0_0000000000000000")
    expect("a job that is not there, with a key", 404, f"{api}/api/job/job_0_0000000000000000", key=key)
    expect("a job without its parameters", 400, f"{api}/api/generate", key=key, body={})
    job = expect("a new job", 200, f"{api}/api/generate", key=key, body=JOB)["jobId"]
    deadline = time.monotonic() + 60
    while True:
        found = expect(f"job {job}", 200, f"{api}/api/job/{job}", key=key)["job"]
        say(f"     {found.get('status')}, {found.get('progress')} %: {found.get('currentStep')}")
        if found.get("status") != "pending" or time.monotonic() > deadline:
            return {"job": job, "status": found.get("status"), "api": api}
        time.sleep(2)
