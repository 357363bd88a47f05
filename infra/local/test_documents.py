"""The documents: links, paths, commands and routes exist, and each check finds what is wrong in a bad sample."""

import json
import pathlib
import re
import tempfile
import unittest

import documents

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = documents.documents(ROOT)
# Records of decisions and of changes name files as they were then.
CURRENT = {name: text for name, text in TEXTS.items() if not name.startswith("docs/adr/") and name != "CHANGELOG.md"}
XTASK = [path.read_text(encoding="utf-8") for path in (ROOT / "infra/xtask/src").rglob("*.rs")]
README_LINES = 200


class Documents(unittest.TestCase):
    def test_links_lead_to_files_and_headings(self):
        self.assertGreater(sum(len(documents.links(text)) for text in TEXTS.values()), 300)
        self.assertEqual(documents.broken_links(ROOT, TEXTS), [])

    def test_paths_exist(self):
        self.assertEqual(documents.missing_paths(ROOT, CURRENT), [])

    def test_the_tests_of_guarantees_exist(self):
        self.assertGreater(TEXTS["docs/guarantees.md"].count("` in `"), 50)
        self.assertEqual(documents.missing_tests(ROOT, TEXTS["docs/guarantees.md"]), [])

    def test_commands_and_their_flags_exist(self):
        names, flags = documents.commands("\n".join(XTASK))
        self.assertLessEqual({"up", "retained", "import"}, names)
        self.assertLessEqual({"auth", "aws-stack", "keep-going", "secret"}, flags)
        self.assertEqual(documents.unknown_commands(names, flags, CURRENT), [])

    def test_the_routes_are_those_of_the_api(self):
        description = json.loads((ROOT / "functions/pages/openapi/openapi.json").read_text(encoding="utf-8"))
        self.assertEqual(documents.wrong_routes(TEXTS["docs/api.md"], description), [])

    def test_an_index_names_every_page_of_its_folder(self):
        for folder in ("docs", "docs/adr"):
            self.assertEqual(documents.unlisted(TEXTS, folder), [])

    def test_the_readme_is_short(self):
        self.assertEqual(documents.too_long(TEXTS, "README.md", README_LINES), [])

    def test_the_costs_in_short_are_the_sums_of_their_sections(self):
        self.assertEqual(documents.wrong_sums(TEXTS["docs/cost.md"]), [])

    def test_the_readme_has_the_costs_and_functions_of_the_others(self):
        readme = " ".join(TEXTS["README.md"].split())
        cost = re.search(r"\[an idle stack\]\(\S+\), a month \| (\$[\d.]+) \|", TEXTS["docs/cost.md"]).group(1)
        self.assertIn(f"An idle stack costs about {cost} a month", readme)
        template = (ROOT / "template.yaml").read_text(encoding="utf-8")
        programs = set(re.findall(r"CodeUri: target/lambda/([\w-]+)", template))
        self.assertIn(f"{len(programs)} small Rust functions", readme)

    def test_ci_runs_the_command_of_the_readme(self):
        readme = " ".join(TEXTS["README.md"].split())
        self.assertRegex(readme, r"`cargo xtask test` runs every check, .* and is what CI runs\.")
        lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
        self.assertEqual([line for line in lines if line.startswith("cargo ")], ["cargo xtask test"])

    def test_the_version_of_the_readme_is_in_the_changelog(self):
        manifest, changelog = (ROOT / "Cargo.toml").read_text(encoding="utf-8"), TEXTS["CHANGELOG.md"]
        version = re.search(r'^version = "([\d.]+)"$', manifest, re.MULTILINE).group(1)
        major_and_minor = version.rpartition(".")[0]
        self.assertIn(f"This is version {major_and_minor}: until 1.0 a minor version may change answers", " ".join(TEXTS["README.md"].split()))
        self.assertRegex(changelog, rf"(?m)^## {re.escape(version)}\b")
        self.assertIn("until 1.0 a minor version may change what an answer says, and the line says so", " ".join(changelog.split()))

    def test_no_command_starts_docker(self):
        scripts = [path for kind in ("*.py", "*.sh") for path in (ROOT / "infra").rglob(kind) if path.name != "test_documents.py"]
        own = [path.read_text(encoding="utf-8") for path in scripts if "node_modules" not in path.parts]
        self.assertEqual([text for text in XTASK + own if re.search(r"\bdocker\b", text)], [])

    def test_what_to_do_about_each_cause_of_an_error_is_described(self):
        source = (ROOT / "shared/domain/src/errors/cause.rs").read_text(encoding="utf-8")
        names = re.findall(r"^    ([A-Z]\w+),$", source[source.index("pub enum Cause {") :].split("\n}\n")[0], re.MULTILINE)
        causes = {re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower() for name in names}
        rows = re.findall(r"^\| `(\w+)` \| .+ \| \S.* \|$", TEXTS["docs/errors-inbox.md"], re.MULTILINE)
        self.assertGreater(len(causes), 15)
        self.assertEqual(causes - set(rows), set())

    def test_marked_blocks_are_run(self):
        sources = [ROOT / "tests/it" / name for name in ("documents.rs", "programs.rs")]
        source = "\n".join(path.read_text(encoding="utf-8") for path in sources)
        # test_runbook.py and test_runbook_shell.py look at the runbook, whose pages tests/it/game_day runs.
        texts = {name: text for name, text in TEXTS.items() if not name.startswith("docs/runbook/")}
        self.assertEqual(documents.wrong_blocks(texts, source), [])


class Checks(unittest.TestCase):
    """Each check fails for a bad sample."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        (self.root / "docs").mkdir()
        headings = "# A & `b`, [c](d)\n## Twice\n## Twice\n```sh\n# no heading\n```\n"
        (self.root / "docs/a.md").write_text(headings, encoding="utf-8")

    def check(self, find, good, bad):
        """`find` takes the texts of documents. It finds nothing in the good ones, and one problem in each bad one."""
        for text in good:
            self.assertEqual(find({"README.md": text}), [], text)
        for text in bad:
            self.assertEqual(len(find({"README.md": text})), 1, text)

    def test_anchors_are_those_of_github(self):
        text = (self.root / "docs/a.md").read_text(encoding="utf-8")
        self.assertEqual(documents.anchors(text), {"a--b-c", "twice", "twice-1"})

    def test_links(self):
        self.check(
            lambda texts: documents.broken_links(self.root, texts),
            good=["[x](docs/a.md#twice-1)", "`[x](y)`", "```\n[x](y)\n```\n", "[x](https://a.example/y)", "[x\ny](docs)"],
            bad=[
                "[x](docs/b.md)",
                "[x](docs/a.md#no-heading)",
                "[x](#there)",
                "![x](y.png)",
                '<img src="y.png">',
                "[`x`](y)",
                "[x\ny](z)",
            ],
        )

    def test_paths(self):
        self.check(
            lambda texts: documents.missing_paths(self.root, texts),
            good=["`docs/a.md`", "see docs/a.md.", "`docs/<name>.md`", "`docs/*.md`", "`docs/`", "https://a.example/docs/b"],
            bad=["`docs/b.md`", "see docs/b.md.", "`docs/<name>.rs`", "`docs/c/*`", "node docs/b.mjs"],
        )

    def test_tests_of_a_table(self):
        (self.root / "docs/a.rs").write_text("fn one() {}\nfn onetwo() {}\n", encoding="utf-8")
        find = lambda text: documents.missing_tests(self.root, text)
        self.assertEqual(find("| `one` in `docs/a.rs`; `onetwo` in `docs/a.rs` | `x` |"), [])
        self.assertEqual(find("`two` in `docs/a.rs`, `one` in `docs/b.rs`"), [
            "`docs/a.rs` has no test `two`", "`docs/b.rs` has no test `one`"])
        self.assertEqual(find("`two`, `one` and `onetwo` in `docs/a.rs`"), ["`docs/a.rs` has no test `two`"])

    def test_commands(self):
        source = """
enum Command {
    /// Starts
    Up(Up),
    Catalog {
        command: Catalog,
    },
}

enum Catalog {
    Import {
        file: PathBuf,
    },
}

#[arg(long)]
keep_state: bool,
/// Text
#[arg(long = "secret", value_parser = of(1))]
pub secrets: Vec<Pair>,
#[arg(short)]
quiet: bool,
"""
        names, flags = documents.commands(source)
        self.assertEqual((names, flags), ({"up", "catalog", "import"}, {"keep-state", "secret"}))
        self.check(
            lambda texts: documents.unknown_commands(names, flags, texts),
            good=[
                "`cargo xtask up --keep-state`",
                "cargo xtask up \\\n  --secret A=b # --other",
                "`cargo xtask help`",
                "cargo xtask catalog import x",
            ],
            bad=[
                "`cargo xtask down`",
                "cargo xtask up --quiet",
                "cargo xtask catalog export x",
                "cargo xtask up \\\n  --other",
            ],
        )

    def test_routes(self):
        description = {"paths": {"/a/{id}": {"parameters": [], "get": {}, "post": {}}}}
        good = "| route | |\n|---|---|\n| `GET /a/{id}?limit` | x |\n| `POST /a/{id}` | `GET /c` |\n"
        self.assertEqual(documents.wrong_routes(good, description), [])
        bad = documents.wrong_routes("| `GET /a/{id}` | x |\n| `GET /b` | y |\n", description)
        self.assertEqual(bad, ["GET /b: the API has no such route", "POST /a/{id}: is in no table"])

    def test_the_index(self):
        texts = dict.fromkeys(["docs/a.md", "docs/b.md", "docs/c/README.md", "docs/c/d.md", "e.md"], "")
        found = documents.unlisted(texts | {"docs/README.md": "[a](a.md#b)"}, "docs")
        self.assertEqual([problem.split(":")[0] for problem in found], ["docs/b.md", "docs/c/README.md"])

    def test_lengths(self):
        self.assertEqual(documents.too_long({"a.md": "x\n" * 3}, "a.md", 3), [])
        self.assertEqual(len(documents.too_long({"a.md": "x\n" * 4}, "a.md", 3)), 1)

    def test_sums(self):
        section = "## A `b`\n| x | 1.00 |\n| **together** | | **{}** |\n\n### C\n"
        row = "| [a](#a-b), a month | $2,220 |\n| [c](#c) | $1 |\n"
        self.assertEqual(documents.wrong_sums(row + section.format("2222.92")), [])
        self.assertEqual(documents.wrong_sums(row + section.format("2230.10")), ["#a-b: $2,220 must be $2,230"])

    def test_blocks(self):
        block = "<!-- run: one -->\n```sh\nx\n```\n"
        self.assertEqual(documents.wrong_blocks({"a.md": block}, 'start(&stack, "a.md", "one")'), [])
        for text, source in ((block, ""), ("", '"a.md", "one"'), ("<!-- run: one -->\n\ntext", '"a.md", "one"')):
            self.assertEqual(len(documents.wrong_blocks({"a.md": text}, source)), 1, text + source)


if __name__ == "__main__":
    unittest.main()
