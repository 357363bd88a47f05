"""The licences that `cargo xtask package` writes beside each bootstrap."""

import pathlib
import tempfile
import unittest

import crate_notice
from crate_notice import Problem


class Crates(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)

    def package(self, name, licence="MIT", authors=(), **files):
        """A package with these files, in whose names `_` stands for `-`."""
        folder = self.root / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file.replace("_", "-")).write_text(text, encoding="utf-8")
        return {
            "id": name,
            "name": name,
            "version": "1.0.0",
            "source": "registry",
            "license": licence,
            "authors": list(authors),
            "repository": f"https://{name}.example",
            "manifest_path": str(folder / "Cargo.toml"),
        }

    def texts(self, licence, **files):
        package = self.package(f"crate{len(list(self.root.iterdir()))}", licence, ["An Author"], **files)
        return crate_notice.texts(package)

    def test_of_several_licences_one_is_chosen(self):
        both = {"LICENSE_MIT": "m", "LICENSE_APACHE": "a", "NOTICE": "n", "README": "r"}
        for licence in ("MIT OR Apache-2.0", "Apache-2.0/MIT"):
            self.assertEqual(self.texts(licence, **both), {"LICENSE-MIT": "m", "NOTICE": "n"})
        several = {"LICENSE_APACHE": "a", "LICENSE_GPLv2": "g"}
        self.assertEqual(self.texts("Apache-2.0 OR GPL-2.0-only", **several), {"LICENSE-APACHE": "a"})

    def test_licences_that_all_apply_are_all_given(self):
        files = {"LICENSE_MIT": "m", "LICENSE_APACHE": "a", "LICENSE_BSD": "b"}
        self.assertEqual(len(self.texts("(MIT OR Apache-2.0) AND BSD-3-Clause", **files)), 3)
        self.assertEqual(self.texts("BSD-3-Clause", LICENSE="b"), {"LICENSE": "b"})

    def test_a_crate_without_a_text_gets_that_of_its_licence(self):
        [(name, text)] = self.texts("MIT").items()
        self.assertEqual(name, "MIT")
        self.assertIn("Copyright (c) An Author\n", text)
        self.assertIn("Permission is hereby granted", text)
        self.assertIn("Apache License", self.texts("Apache-2.0")["Apache-2.0"])
        for licence in (None, "Zlib"):
            with self.assertRaisesRegex(Problem, "comes without the text of its licence"):
                self.texts(licence)

    def test_a_text_is_given_once_below_its_crates(self):
        packages = [
            self.package("a", LICENSE="Same  text\n"),
            self.package("b", LICENSE="same\ntext"),
            self.package("c", LICENSE="another"),
        ]
        text = crate_notice.notice("worker", packages)
        self.assertIn("  a 1.0.0  MIT  https://a.example\n", text)
        self.assertIn("a 1.0.0 (LICENSE), b 1.0.0 (LICENSE)\n\nSame  text\n", text)
        self.assertEqual(text.lower().count("same"), 1)
        self.assertIn("c 1.0.0 (LICENSE)\n\nanother\n", text)

    def test_what_is_not_linked_is_left_out(self):
        def package(name, source="registry"):
            return {"id": name, "name": name, "version": "1.0.0", "source": source}

        def needs(name, *kinds):
            return {"pkg": name, "dep_kinds": [{"kind": kind} for kind in kinds]}

        names = ["direct", "indirect", "macro", "build", "test", "elsewhere"]
        nodes = {
            "worker": [needs("ours", None), needs("build", "build"), needs("test", "dev")],
            "ours": [needs("direct", "dev", None), needs("macro", None)],
            "direct": [needs("indirect", None)],
        }
        metadata = {
            "packages": [package(name) for name in names] + [package("worker", None), package("ours", None)],
            "resolve": {"nodes": [{"id": name, "deps": nodes.get(name, [])} for name in [*names, "worker", "ours"]]},
        }
        # `cargo tree` leaves macros out, and what only tests enable.
        built = {(name, "v1.0.0") for name in ("worker", "ours", "direct", "indirect", "build", "elsewhere")}
        found = crate_notice.linked(metadata, built, "worker")
        self.assertEqual([package["name"] for package in found], ["direct", "indirect"])
        with self.assertRaisesRegex(Problem, "no package `none`"):
            crate_notice.linked(metadata, built, "none")

    def test_every_crate_of_the_functions_has_its_licence(self):
        metadata, built = crate_notice.workspace("x86_64-unknown-linux-gnu")
        for function in ("pages", "render", "reelhook"):
            packages = crate_notice.linked(metadata, built, function)
            self.assertGreater(len(packages), 50)
            self.assertIn(f"The program `{function}`", crate_notice.notice(function, packages))


if __name__ == "__main__":
    unittest.main()
