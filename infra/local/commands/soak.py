"""What a soak test sees of the tables, in which the time of DynamoDB's TTL passes faster.

A row with a time to live is deleted once two samples in a row have found it unchanged. On AWS it lives for days; here the
tables would grow for hours without showing whether anything stays. Rows without one are those that stay.
"""

import hashlib
import json

from commands import tables
from commands.cloud import Problem, is_local

EXPIRES = "expires_at"


def sample(stack, before):
    """Rows of each table, how many of them stay, how many were deleted now, and what the next sample compares with."""
    if not is_local():
        raise Problem("`soak` deletes rows before their time, so it works only on the local emulator")
    counts, seen = {}, {}
    for logical, table in sorted(stack.of_type("AWS::DynamoDB::Table").items()):
        names = tables.key_names(table)
        found, lasting, old = {}, 0, []
        for item in tables.scan(table):
            if EXPIRES not in item:
                lasting += 1
                continue
            key = {name: item[name] for name in names}
            place = json.dumps(key, sort_keys=True)
            found[place] = hashlib.sha256(tables.as_line(item).encode()).hexdigest()
            if before.get(logical, {}).get(place) == found[place]:
                old.append(key)
                del found[place]
        tables.delete_all(table, old)
        counts[logical] = {"rows": len(found) + len(old) + lasting, "lasting": lasting, "deleted": len(old)}
        seen[logical] = found
    return {"tables": counts, "seen": seen}
