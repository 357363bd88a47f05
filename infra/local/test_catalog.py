"""Loading movies into a table that is busy, which is played here."""

import unittest
from unittest import mock

from commands import catalog
from commands.cloud import Problem


class Table:
    """Takes one request of each call, and none while it is busy."""

    def __init__(self, busy=0):
        self.busy, self.taken = busy, []

    def batch_write_item(self, RequestItems):
        (name, requests), *_ = RequestItems.items()
        if self.busy:
            self.busy -= 1
            return {"UnprocessedItems": RequestItems}
        self.taken.append(requests[0])
        return {"UnprocessedItems": {name: requests[1:]} if requests[1:] else {}}


class Loading(unittest.TestCase):
    def write(self, table, requests):
        waits = []
        with mock.patch.object(catalog.time, "sleep", waits.append):
            catalog.write(table, {"Catalog": requests})
        return waits

    def test_what_a_busy_table_leaves_is_asked_for_again_after_growing_waits(self):
        table = Table(busy=3)
        with mock.patch.object(catalog.random, "uniform", lambda _, most: most):
            waits = self.write(table, ["a", "b"])
        self.assertEqual((table.taken, waits), (["a", "b"], [0.1, 0.2, 0.4, 0.8]))

    def test_without_that_nothing_waits(self):
        self.assertEqual(self.write(Table(), ["a"]), [])

    def test_a_table_that_stays_busy_is_told_and_not_asked_for_ever(self):
        with self.assertRaisesRegex(Problem, "the table is throttled: try again"):
            self.write(Table(busy=1000), ["a"])


if __name__ == "__main__":
    unittest.main()
