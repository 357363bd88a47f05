"""Reports of a run's steps to Reelhook, which are repeated until they are answered."""

import http.client
import json
import time
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 10
WAITS_SECONDS = (1, 2, 4, 8, 16, 32)
# Reasons in an answer after which no report of this run changes the job.
UNWANTED = ("stale_attempt", "job_is_final")


class Unwanted(Exception):
    """The run is not wanted any more."""


class Reporter:
    """The token in `callback_url` permits reports about one run. It is a secret: keep it out of logs."""

    def __init__(self, job_id, callback_url):
        self.job_id, self.callback_url, self.sequence = job_id, callback_url, 0

    def report(self, step, status, **more):
        """Sends a report. Raises Unwanted if the run should stop."""
        # Rises within the run even if the clock is set back: a report with a lower one would be ignored.
        self.sequence = max(self.sequence + 1, time.time_ns() // 1_000_000)
        body = {"job_id": self.job_id, "step_number": step, "status": status, "sequence": self.sequence, **more}
        answer = self.send(json.dumps(body).encode())
        if answer.get("reason") in UNWANTED:
            raise Unwanted(answer["reason"])

    def send(self, body):
        """POSTs the same bytes until there is an answer: Reelhook recognizes a report that it has."""
        request = urllib.request.Request(self.callback_url, body, {"Content-Type": "application/json"})
        for wait in (*WAITS_SECONDS, None):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                    return json.load(response)
            except urllib.error.HTTPError as refusal:
                with refusal:
                    if refusal.code != 429 and refusal.code < 500:  # for example 404: the job was deleted
                        raise Unwanted(f"a report was refused with {refusal.code}") from None
                    if wait is None:
                        raise
                    named = refusal.headers.get("Retry-After", "")
                    wait = max(wait, int(named) if named.isdecimal() else 0)
            except (OSError, http.client.HTTPException):
                if wait is None:
                    raise
            time.sleep(wait)
