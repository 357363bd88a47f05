"""Which deliveries meet a fault: decides as infra/faults/src/chance.rs does about calls, where the reasons are."""

import hashlib
import struct

LONGEST = 6
MILLION = 1_000_000


def draw(seed, percent, function, operation, number):
    """(kind, detail) for the delivery with this number, from 0 on; None if it meets no fault."""
    begins_below = percent * (MILLION // 100) * 4 // 7
    for back in range(min(LONGEST, number + 1)):
        begins, length, kind, detail = words(seed, function, operation, number - back)
        if begins % MILLION < begins_below and back < length_of(length):
            return kind, rotated(detail, back)
    return None


def length_of(word):
    return 2 + (word // 4) % (LONGEST - 1) if word % 4 == 0 else 1


def words(seed, function, operation, number):
    return struct.unpack(">4Q", hashlib.sha256(f"{seed}/{function}/{operation}/{number}".encode()).digest())


def rotated(word, by):
    return (word << by | word >> (64 - by)) & (2**64 - 1)
