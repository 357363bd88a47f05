"""Which deliveries meet a fault is decided as in infra/faults/src/chance.rs, whose tests have the same numbers."""

import unittest

import chance


class Decisions(unittest.TestCase):
    def test_the_proxy_decides_in_the_same_way(self):
        self.assertEqual(chance.words(42, "fanout", "stream", 3)[0], 10294188168364325789)
        hits = [number for number in range(60) if chance.draw(42, 20, "fanout", "stream", number)]
        self.assertEqual(hits, [19, 21, 22, 23, 24, 25, 51, 52, 53, 54, 55, 56])

    def test_no_rate_is_no_fault(self):
        self.assertEqual([chance.draw(1, 0, "f", "o", number) for number in range(100)], [None] * 100)


if __name__ == "__main__":
    unittest.main()
