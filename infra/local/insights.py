"""The part of CloudWatch Logs Insights that the saved queries use: filter, fields, stats, sort and limit.

`run` works on records, dicts of @timestamp, @log, @message and the fields of a JSON line. A command, a function or an
operator that it does not know is an error, so that a saved query has only what is evaluated here.
"""

import json
import re

TOKENS = re.compile(
    r"""\s*(?:(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?P<regex>/(?:\\.|[^/\\])+/)|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<name>[@A-Za-z_][\w.@]*)|(?P<sign>!=|<=|>=|=|<|>|\(|\)|\[|\]|,|\*))"""
)
COMPARES = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
TOTALS = {"count", "sum", "avg", "min", "max", "pct"}


class Unknown(ValueError):
    """A query that this does not evaluate."""


def record_of(message, log="", timestamp=0):
    """The record of a line: the fields of a JSON object, those of nested objects with a dot."""
    found = {"@timestamp": timestamp, "@log": log, "@message": message}
    try:
        body = json.loads(message)
    except ValueError:
        return found
    return found | flat(body) if isinstance(body, dict) else found


def flat(body, prefix=""):
    found = {}
    for name, value in body.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif value is not None:
            # Insights shows a boolean as 1 or 0.
            found[prefix + name] = int(value) if isinstance(value, bool) else value
    return found


def fields_of(query):
    """The fields of lines that a query names, without those that it makes itself."""
    made = set(re.findall(r"\bas\s+(\w+)", query))
    names, functions = set(), TOTALS | {"ispresent", "bin"}
    for command in commands(query):
        words, rest = tokens(command), []
        for kind, word in words[1:]:
            if kind == "name" and word not in functions and word not in {"and", "or", "not", "like", "in", "as", "by", "asc", "desc"}:
                rest.append(word)
        names |= set(rest)
    return {name for name in names - made if not name.startswith("@")}


def commands(query):
    """The commands of a query: its parts between bars, without those in texts and expressions."""
    return [part.strip() for part in re.findall(r"""(?:'(?:\\.|[^'])*'|"(?:\\.|[^"])*"|/(?:\\.|[^/])+/|[^|])+""", query)]


def tokens(command):
    found, at, command = [], 0, command.rstrip()
    while at < len(command):
        match = TOKENS.match(command, at)
        if not match:
            raise Unknown(f"`{command[at:]}` of `{command}`")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def run(query, records):
    """The rows that a query finds."""
    rows, shown = list(records), None
    for command in commands(query):
        words = tokens(command)
        name, rest = words[0][1].lower(), words[1:]
        if name == "filter":
            test = Condition(rest).parsed()
            rows = [row for row in rows if test(row)]
        elif name == "fields":
            shown = [word for kind, word in rest if kind == "name"]
        elif name == "stats":
            rows, shown = totals(rest, rows), None
        elif name == "sort":
            by, down = rest[0][1], ("name", "desc") in rest[1:]
            rows.sort(key=lambda row: order(row.get(by)), reverse=down)
        elif name == "limit":
            rows = rows[: int(rest[0][1])]
        else:
            raise Unknown(f"the command `{name}`")
    return [{name: row[name] for name in shown if name in row} for row in rows] if shown else rows


def order(value):
    """Numbers before texts, and nothing before both."""
    return (0, 0) if value is None else (1, value) if isinstance(value, (int, float)) else (2, str(value))


class Condition:
    """Parses the condition of `filter` to a test of a row."""

    def __init__(self, words):
        self.words, self.at = words, 0

    def parsed(self):
        test = self.either()
        if self.at < len(self.words):
            raise Unknown(f"`{self.words[self.at][1]}` after a condition")
        return test

    def next(self):
        if self.at >= len(self.words):
            raise Unknown("a condition that is not complete")
        self.at += 1
        return self.words[self.at - 1]

    def follows(self, word):
        if self.at < len(self.words) and self.words[self.at][1].lower() == word:
            self.at += 1
            return True
        return False

    def either(self):
        tests = [self.both()]
        while self.follows("or"):
            tests.append(self.both())
        return lambda row: any(test(row) for test in tests)

    def both(self):
        tests = [self.one()]
        while self.follows("and"):
            tests.append(self.one())
        return lambda row: all(test(row) for test in tests)

    def one(self):
        if self.follows("not"):
            test = self.one()
            return lambda row: not test(row)
        if self.follows("("):
            test = self.either()
            if not self.follows(")"):
                raise Unknown("a bracket without its end")
            return test
        kind, name = self.next()
        if name.lower() == "ispresent":
            _, (_, field), _ = self.next(), self.next(), self.next()
            return lambda row: field in row
        if kind != "name":
            raise Unknown(f"`{name}` in place of a field")
        return self.compared(name)

    def compared(self, name):
        _, sign = self.next()
        kind, value = self.next()
        if sign.lower() == "like":
            pattern = re.compile(value[1:-1] if kind == "regex" else re.escape(value[1:-1]))
            return lambda row: name in row and bool(pattern.search(str(row[name])))
        if sign not in COMPARES or kind not in ("text", "number"):
            raise Unknown(f"`{name} {sign} {value}`")
        compare = COMPARES[sign]
        wanted = float(value) if kind == "number" else value[1:-1]

        def test(row):
            there = row.get(name)
            if kind == "number":
                try:
                    return there is not None and compare(float(there), wanted)
                except ValueError:
                    return False
            # As in Insights, `!=` also finds lines without the field.
            return compare(str(there), wanted) if there is not None else sign == "!="

        return test


def totals(words, rows):
    """The rows of `stats`: FUNCTION(FIELD) as NAME, … by FIELD, …"""
    place = next((n for n, (_, word) in enumerate(words) if word == "by"), len(words))
    by = [word for kind, word in words[place + 1 :] if kind == "name"]
    made, at = [], 0
    while at < place:
        function, inside = words[at][1], []
        if function not in TOTALS or words[at + 1][1] != "(":
            raise Unknown(f"the function `{function}`")
        at += 2
        while words[at][1] != ")":
            inside.append(words[at][1])
            at += 1
        if words[at + 1][1] != "as":
            raise Unknown(f"`{function}` without a name")
        made.append((words[at + 2][1], function, [word for word in inside if word != ","]))
        at += 4
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in by), []).append(row)
    found = []
    for key, group in groups.items():
        row = {name: value for name, value in zip(by, key) if value is not None}
        for name, function, inside in made:
            value = total(function, inside, group)
            if value is not None:
                row[name] = value
        found.append(row)
    return found


def total(function, inside, rows):
    if function == "count" and inside == ["*"]:
        return len(rows)
    values = []
    for row in rows:
        try:
            values.append(float(row[inside[0]]))
        except (KeyError, ValueError):
            continue
    if function == "count":
        return len(values)
    if not values:
        return None
    if function == "pct":
        values.sort()
        return values[min(len(values) - 1, int(len(values) * float(inside[1]) / 100))]
    return {"sum": sum, "min": min, "max": max, "avg": lambda all: sum(all) / len(all)}[function](values)
