"""docs/contract: every citation in the source leads to a heading, every route of the API is described, and every
example is JSON."""

import json
import os
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "contract"
DESCRIPTION = ROOT / "functions" / "pages" / "openapi" / "openapi.json"
SUFFIXES = {".rs", ".py", ".mjs", ".js", ".ts", ".yaml", ".yml", ".toml", ".md", ".sh"}
# Directories of tools, and what is generated or installed.
SKIPPED = {"target", "node_modules"}
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
CITATION = re.compile(r"docs/contract/([\w.-]+\.md)(?:,\s+(?=([A-Z][^\n]{0,80})))?")
COMMENT = re.compile(r"\n[ \t]*(?://[/!]?|#|\*)?[ \t]*")
ROUTE = re.compile(r"`(%s)\s+(/[^\s`?]*)" % "|".join(METHODS))


def read_pages(directory):
    """The text of each page, by its file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(directory.glob("*.md"))}


def headings(page):
    """The headings of a page; lines within code blocks are none."""
    text = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#{1,6} (.+)$", text, flags=re.MULTILINE)


def check_citations(text, pages):
    """What is wrong with citations of the form `docs/contract/jobs.md, Timers` in a source file. A citation may go on
    in the next line of a comment."""
    for name, cited in CITATION.findall(COMMENT.sub(" ", text)):
        if name not in pages:
            yield f"docs/contract/{name} does not exist"
        elif cited and not any(re.match(re.escape(known) + r"(?!\w)", cited) for known in headings(pages[name])):
            yield f"docs/contract/{name} has no heading `{cited[:40]}`"


def without_names(path):
    """A path whose parameters have no names, and without the prefix that carries a callback token."""
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/w/{token}"))


def check_routes(description, pages):
    """Which routes below /api no page names, and which routes of pages do not exist."""
    known = {
        (method.upper(), without_names(path))
        for path, operations in description["paths"].items()
        for method in operations
        if method.upper() in METHODS
    }
    named = {(method, without_names(path)) for page in pages.values() for method, path in ROUTE.findall(page)}
    for method, path in sorted(known - named):
        if path.startswith("/api/"):
            yield f"no page of docs/contract names {method} {path}"
    for method, path in sorted(named - known):
        yield f"docs/contract names {method} {path}, which does not exist"


def check_examples(pages):
    """Which blocks of JSON are not JSON."""
    for name, page in pages.items():
        for block in re.findall(r"^```json\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL):
            try:
                json.loads(block)
            except ValueError as error:
                yield f"docs/contract/{name}: {error} in {block[:60]!r}"


def sources():
    """The source files of the repository, but this one."""
    for directory, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in SKIPPED and (not name.startswith(".") or name == ".ci")]
        for path in (pathlib.Path(directory) / file for file in files):
            if path.suffix in SUFFIXES and path != pathlib.Path(__file__).resolve():
                yield path


class Contract(unittest.TestCase):
    def setUp(self):
        self.pages = read_pages(PAGES)

    def test_every_citation_leads_to_a_heading(self):
        wrong = []
        for path in sources():
            found = check_citations(path.read_text(encoding="utf-8"), self.pages)
            wrong += [f"{path.relative_to(ROOT)}: {problem}" for problem in found]
        self.assertEqual(wrong, [])

    def test_every_route_is_described(self):
        description = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
        self.assertEqual(list(check_routes(description, self.pages)), [])

    def test_every_example_is_json(self):
        self.assertEqual(list(check_examples(self.pages)), [])


class Checks(unittest.TestCase):
    """Each check finds what is wrong in a bad sample, and nothing in a good one."""

    JOBS = "# Jobs\n\n## Final states\n\n```sh\n# Comment\n```\n\n`POST /api/generate`, `GET\n/api/job/{id}?x`\n"
    PAGES = {"jobs.md": JOBS}

    def citations(self, text):
        return list(check_citations(text, self.PAGES))

    def test_citations(self):
        for good in [
            "see docs/contract/jobs.md",
            "see docs/contract/jobs.md, which says more",
            "(docs/contract/jobs.md, Final states)",
            "docs/contract/jobs.md, Final states, and more",
            "//! Rules (docs/contract/jobs.md,\n//! Final states).",
            "    /// Rules (docs/contract/jobs.md, Final\n    /// states; more).",
            "# Rules (docs/contract/jobs.md, Final\n# states)",
        ]:
            self.assertEqual(self.citations(good), [], good)
        for bad in [
            "docs/contract/job.md",
            "docs/contract/jobs.md, Timers",
            "docs/contract/jobs.md, Final states\ndocs/contract/jobs.md, Timers",
            "docs/contract/jobs.md, Final statesmen",
            "docs/contract/jobs.md, Comment",
            "//! (docs/contract/jobs.md, Final\n//! things)",
        ]:
            self.assertEqual(len(self.citations(bad)), 1, bad)

    def test_routes(self):
        described = {"paths": {"/api/generate": {"post": {}}, "/api/job/{jobId}": {"get": {}, "parameters": []}}}
        self.assertEqual(list(check_routes(described, self.PAGES)), [])
        more = {"/api/queue/clear": {"post": {}}, "/queue": {"get": {}}, "/w/{token}/api/generate": {"post": {}}}
        found = list(check_routes({"paths": described["paths"] | more}, self.PAGES))
        self.assertEqual(found, ["no page of docs/contract names POST /api/queue/clear"])
        fewer = {"paths": {"/api/generate": {"post": {}}}}
        self.assertEqual(len(list(check_routes(fewer, self.PAGES))), 1)

    def test_examples(self):
        page = "```json\n%s\n```\n"
        self.assertEqual(list(check_examples({"a.md": page % '{"a": 1}' + page % "[]"})), [])
        self.assertEqual(len(list(check_examples({"a.md": page % '{"a": 1, …}'}))), 1)
