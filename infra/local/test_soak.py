"""How a soak test counts rows, and how it lets time pass for them, with a fake table."""

import json
import os
import types
import unittest
from unittest import mock

from commands import soak, tables
from commands.cloud import Problem

STACK = types.SimpleNamespace(of_type=lambda _: {"Jobs": "reelhook-Jobs-1"})


def row(id, expires=None, body="b"):
    return {"id": {"S": id}, "body": {"S": body}, **({"expires_at": {"N": str(expires)}} if expires else {})}


class Soak(unittest.TestCase):
    def setUp(self):
        self.rows, self.deleted = [], []
        for patch in (
            mock.patch.dict(os.environ, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}),
            mock.patch.object(tables, "scan", lambda table: iter(self.rows)),
            mock.patch.object(tables, "key_names", lambda table: ["id"]),
            mock.patch.object(tables, "delete_all", lambda table, keys: self.deleted.extend(keys)),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def sample(self, before):
        # As it passes through the command line.
        return json.loads(json.dumps(soak.sample(STACK, before)))

    def test_a_row_that_two_samples_find_unchanged_is_deleted(self):
        self.rows = [row("old", 9), row("changes", 9), row("stays")]
        first = self.sample({})
        self.assertEqual(first["tables"]["Jobs"], {"rows": 3, "lasting": 1, "deleted": 0})
        self.rows[1] = row("changes", 9, "c")
        second = self.sample(first["seen"])
        self.assertEqual(second["tables"]["Jobs"], {"rows": 3, "lasting": 1, "deleted": 1})
        self.assertEqual(self.deleted, [{"id": {"S": "old"}}])

    def test_rows_without_a_time_to_live_are_never_deleted(self):
        self.rows = [row("stays")]
        for _ in range(3):
            found = self.sample({})
        self.assertEqual((found["tables"]["Jobs"]["lasting"], self.deleted), (1, []))

    def test_nothing_is_deleted_on_aws(self):
        with mock.patch.dict(os.environ, clear=True), self.assertRaisesRegex(Problem, "only on the local emulator"):
            soak.sample(STACK, {})


if __name__ == "__main__":
    unittest.main()
