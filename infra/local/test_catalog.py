"""Importing movies into a throttled table, for which a fake stands in."""

import unittest
from unittest import mock

from commands import catalog
from commands.cloud import Problem


class Table:
    """Accepts one request per call, and none while it is throttled."""

    def __init__(self, throttled=0):
        self.throttled, self.accepted = throttled, []

    def batch_write_item(self, RequestItems):
        (name, requests), *_ = RequestItems.items()
        if self.throttled:
            self.throttled -= 1
            return {"UnprocessedItems": RequestItems}
        self.accepted.append(requests[0])
        return {"UnprocessedItems": {name: requests[1:]} if requests[1:] else {}}


class Importing(unittest.TestCase):
    def write(self, table, requests):
        waits = []
        with mock.patch.object(catalog.time, "sleep", waits.append):
            catalog.write(table, {"Catalog": requests})
        return waits

    def test_unprocessed_items_are_retried_with_growing_waits(self):
        table = Table(throttled=3)
        with mock.patch.object(catalog.random, "uniform", lambda _, most: most):
            waits = self.write(table, ["a", "b"])
        self.assertEqual((table.accepted, waits), (["a", "b"], [0.1, 0.2, 0.4, 0.8]))

    def test_without_throttling_nothing_waits(self):
        self.assertEqual(self.write(Table(), ["a"]), [])

    def test_permanent_throttling_is_a_problem(self):
        with self.assertRaisesRegex(Problem, "the table is throttled: try again"):
            self.write(Table(throttled=1000), ["a"])


if __name__ == "__main__":
    unittest.main()
