"""The store of the receiver: an SQLite file with the webhooks that came, and what they say about jobs."""

import contextlib
import json
import sqlite3
import time

# Reelhook sends nothing again that did not come for 30 days.
KEPT_SECONDS = 30 * 24 * 3600
SCHEMA = """
CREATE TABLE IF NOT EXISTS webhooks (
    id TEXT PRIMARY KEY,         -- the header webhook-id, the same in every attempt and replay of a delivery
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    last_came INTEGER NOT NULL   -- Unix seconds
);
CREATE INDEX IF NOT EXISTS webhooks_by_last_came ON webhooks (last_came);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,   -- the header webhook-sequence of the newest event
    status TEXT NOT NULL,
    video_url TEXT
);
"""


class Store:
    def __init__(self, path):
        self.path = path
        with contextlib.closing(self.connect()) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(SCHEMA)

    def connect(self):
        return sqlite3.connect(self.path, timeout=5, isolation_level=None)

    @contextlib.contextmanager
    def transaction(self):
        with contextlib.closing(self.connect()) as database:
            # IMMEDIATE: of two equal webhooks at the same moment, the second waits here until the first is stored.
            database.execute("BEGIN IMMEDIATE")
            with database:  # commits, or rolls back after an exception
                yield database

    def accept(self, webhook_id, sequence, content):
        """Stores a webhook and does its work in one transaction. Returns False if the webhook had come before."""
        now = int(time.time())
        event = content.get("type") or content["event"]  # the StreamGank envelope has `event`
        with self.transaction() as database:
            known = database.execute("UPDATE webhooks SET last_came = ? WHERE id = ?", (now, webhook_id))
            if known.rowcount:
                return False
            row = (webhook_id, event, json.dumps(content), now)
            database.execute("INSERT INTO webhooks VALUES (?, ?, ?, ?)", row)
            if event.startswith(("job.", "video.")):
                update_job(database, sequence, content["data"])
            database.execute("DELETE FROM webhooks WHERE last_came < ?", (now - KEPT_SECONDS,))
        return True


def update_job(database, sequence, data):
    """The work of this receiver: it keeps the newest status of each job. What takes longer than a write belongs into
    another process, which reads `webhooks`: an attempt of Reelhook ends after 10 seconds."""
    job = data.get("job_id") or data.get("jobId")  # in events of jobs, in events of videos
    if job is None or sequence is None:  # an event that an operator sent by hand
        return
    database.execute(
        # Events arrive in any order: an older one must not overwrite what a newer one said.
        """INSERT INTO jobs VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
           SET sequence = excluded.sequence, status = excluded.status, video_url = excluded.video_url
           WHERE excluded.sequence > jobs.sequence""",
        (job, sequence, data["status"], data.get("video_url") or data.get("videoUrl")),
    )
