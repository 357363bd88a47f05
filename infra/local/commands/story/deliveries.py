"""The entries of webhook events and their deliveries, with each attempt."""

from commands.story.entries import entry, iso, plural, trace_of

WAITS = {
    "rate": "for the rate limit",
    "line": "for the concurrency limit",
    "circuit": "until the circuit closes",
    "pause": "as the receiver requested",
    "settings": "for the endpoint's settings",
}
# Characters of a receiver's answer.
ANSWER = 200


class Sent:
    """What was sent about a subject."""

    def __init__(self):
        self.entries, self.now, self.ids = [], [], []


def of_subject(subject, emitted, events, found):
    """What was sent about a subject: `found` has the rows of each delivery, `emitted` the events that its item remembers."""
    sent, all_deliveries = Sent(), [Delivery(rows) for rows in found]
    for event in events:
        own = [one for one in all_deliveries if one.body["event_id"] == event["body"]["id"]]
        sent.entries += event_entries(event, own)
    known = {event["body"]["id"] for event in events}
    for one in emitted:
        if one["id"] not in known:
            text = f"{one['event']}: no deliveries, since no endpoint subscribes to it, or fanout has not been there yet"
            sent.entries.append(entry(one["at"], "webhook", text, event_id=one["id"], version=one.get("version")))
    for one in all_deliveries:
        sent.entries += one.entries()
        sent.now += one.now()
        sent.ids.append(one.body["id"])
    return sent


def event_entries(event, own):
    if not event:
        return []
    body = event["body"]
    text = f"{body['event']} for {plural(len(own), 'endpoint')}"
    return [entry(body["at"], "webhook", text, event_id=body["id"], delivery_ids=[one.body["id"] for one in own])]


class Delivery:
    """A delivery by its row and those of its attempts."""

    def __init__(self, rows):
        [self.body] = [row["body"] for row in rows if row["sk"] == "delivery"]
        self.attempts = attempts(self.body, [row["body"] for row in rows if row["sk"].startswith("attempt#")])
        name, identifier = self.body["endpoint_name"], self.body["endpoint_id"]
        self.endpoint = name if name == identifier else f"{name} ({identifier})"

    def described(self):
        body = self.body
        subject, event = body["job_id"], body["event_id"]
        # As `TraceParent::of_event` (shared/domain/src/trace.rs).
        lasts = subject.startswith(("ep_", "cb_", "err_"))
        return {
            "kind": "delivery",
            "id": body["id"],
            "status": body["status"],
            "error": None if body["status"] == "delivered" else body.get("last_result"),
            "event": body["event"],
            "event_id": event,
            "webhook_id": "msg_" + body["id"].replace("-", ""),
            "endpoint": self.endpoint,
            "subject": subject,
            "created_at": iso(body["created_at"]),
            "created_ms": body["created_at"],
            "ended_at": iso(body.get("finished_at")),
            "trace_id": trace_of(event if lasts else subject, body.get("traceparent")),
            "is_over": body["status"] != "pending",
        }

    def entries(self):
        body = self.body
        found = [self.attempt_entry(one) for one in self.attempts]
        if body.get("again_at"):
            by = f" by recovery {body['recovery']}" if body.get("recovery") else ""
            found.append(self.entry(body["again_at"], f"{body['event']} to {self.endpoint}: replayed{by}"))
        if body["status"] in ("exhausted", "stopped"):
            level = "error" if body["status"] == "exhausted" else "warning"
            text = f"{body['event']} to {self.endpoint}: {body['status']}, {body.get('last_result', 'no reason is known')}"
            found.append(self.entry(body.get("finished_at", body["next_attempt_at"]), text, level))
        return found

    def attempt_entry(self, attempt):
        result, number = attempt.get("result"), attempt["number"]
        what = f"{self.body['event']} to {self.endpoint}: attempt {number}"
        if not result:
            text = f"{what} has no result: it is under way, or its dispatcher crashed"
            return self.entry(attempt["started_at"], text, "warning", attempt=number)
        took = f"after {result['duration_ms']} ms"
        answered = f"answered {result['status']} {took}" if result["status"] else f"got no response {took}: {result.get('error')}"
        later = f", next attempt at {iso(result['next_attempt_at'])}" if result.get("next_attempt_at") else ""
        level = "success" if 200 <= result["status"] <= 299 else "warning" if later else "error"
        return self.entry(
            attempt["started_at"],
            f"{what} {answered}{later}",
            level,
            attempt=number,
            peer=result.get("peer"),
            answer=result.get("response", "")[:ANSWER],
        )

    def entry(self, ms, text, level="info", **facts):
        return entry(ms, "delivery", text, level, delivery_id=self.body["id"], event_id=self.body["event_id"], **facts)

    def now(self):
        body = self.body
        if body["status"] != "pending":
            return []
        waits = f", it waits {WAITS.get(body['held'], body['held'])}" if body.get("held") else ""
        text = f"{body['event']} to {self.endpoint}: attempt {body['attempts'] + 1} at {iso(body['next_attempt_at'])}{waits}"
        return [{"what": f"delivery {body['id']}", "text": text}]


def attempts(body, rows):
    """All attempts, the newest of which is in the delivery (`Delivery::all_attempts` in shared/domain)."""
    found = {row["number"]: row for row in rows}
    if last := body.get("last"):
        known = found.get(last["number"])
        if not known or not known.get("result") or last.get("result"):
            found[last["number"]] = last
    return [found[number] for number in sorted(found)]
