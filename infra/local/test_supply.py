"""What `cargo xtask package` writes beside each bootstrap besides licences, and the pins of packages of others."""

import json
import os
import pathlib
import re
import tempfile
import unittest
import zipfile

import sbom
import zips
from crate_notice import ROOT, Problem

LOCK = """
[[package]]
name = "own"
version = "0.2.0"

[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "{0}"

[[package]]
name = "b"
version = "2.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "{1}"
""".format("a" * 64, "b" * 64)


def crate(name, version, licence="MIT/Apache-2.0"):
    return {"id": name, "name": name, "version": version, "license": licence, "repository": f"https://{name}.example"}


class Materials(unittest.TestCase):
    def document(self, crates):
        depends = {"own": ["a", "b"], "a": ["b"], "b": []}
        nodes = [{"id": id, "deps": [{"pkg": pkg} for pkg in on]} for id, on in depends.items()]
        return sbom.document("own", "0.2.0", crates, {"resolve": {"nodes": nodes}}, sbom.checksums(LOCK), "1.94.1", "f" * 64)

    def test_each_linked_crate_has_its_licence_and_the_checksum_of_its_archive(self):
        found = self.document([crate("a", "1.0.0"), crate("b", "2.0.0", "ISC")])
        a, b, standard_library = found["components"]
        self.assertEqual((a["purl"], a["hashes"][0]["content"]), ("pkg:cargo/a@1.0.0", "a" * 64))
        self.assertEqual(a["licenses"], [{"expression": "MIT OR Apache-2.0"}])
        self.assertEqual((b["licenses"], standard_library["version"]), ([{"expression": "ISC"}], "1.94.1"))
        self.assertEqual(found["metadata"]["component"]["hashes"][0]["content"], "f" * 64)
        depends = {one["ref"]: one["dependsOn"] for one in found["dependencies"]}
        self.assertEqual(depends["reelhook:own"], ["pkg:cargo/a@1.0.0", "pkg:cargo/b@2.0.0", "rust-std"])
        self.assertEqual(depends["pkg:cargo/a@1.0.0"], ["pkg:cargo/b@2.0.0"])

    def test_each_reference_is_one_component(self):
        found = self.document([crate("a", "1.0.0"), crate("b", "2.0.0")])
        known = {one["bom-ref"] for one in [found["metadata"]["component"], *found["components"]]}
        named = [one["ref"] for one in found["dependencies"]] + [one for two in found["dependencies"] for one in two["dependsOn"]]
        self.assertEqual(set(named) - known, set())

    def test_the_same_bootstrap_has_the_same_document(self):
        crates = [crate("a", "1.0.0")]
        self.assertEqual(json.dumps(self.document(crates)), json.dumps(self.document(crates)))

    def test_a_crate_that_the_lock_file_does_not_have_is_refused(self):
        with self.assertRaisesRegex(Problem, "no checksum of c 1.0.0"):
            self.document([crate("c", "1.0.0")])


class Zips(unittest.TestCase):
    def packed(self, names, date=zips.EARLIEST):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory, "function")
            root.mkdir()
            for age, name in enumerate(names):
                (root / name).write_text(name, encoding="utf-8")
                os.utime(root / name, (age, age))
            zips.pack(root, pathlib.Path(directory, "out.zip"), date)
            return pathlib.Path(directory, "out.zip").read_bytes()

    def test_neither_the_order_nor_the_times_of_files_matter(self):
        self.assertEqual(self.packed(["bootstrap", "THIRD-PARTY.txt"]), self.packed(["THIRD-PARTY.txt", "bootstrap"]))

    def test_the_time_is_that_of_the_source(self):
        self.assertEqual(zips.date_of({"SOURCE_DATE_EPOCH": "1700000000"}), (2023, 11, 14, 22, 13, 20))
        self.assertEqual(zips.date_of({}), zips.EARLIEST)
        self.assertEqual(zips.date_of({"SOURCE_DATE_EPOCH": "0"}), zips.EARLIEST)
        self.assertNotEqual(self.packed(["bootstrap"]), self.packed(["bootstrap"], (2023, 11, 14, 22, 13, 20)))

    def test_sums_name_each_bootstrap_and_each_zip(self):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / "worker").mkdir()
            (root / "worker" / "bootstrap").write_bytes(b"")
            zips.main(directory, "worker")
            lines = (root / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
            self.assertEqual([line.split("  ")[1] for line in lines], ["worker/bootstrap", "worker.zip"])
            self.assertTrue(lines[0].startswith("e3b0c44298fc1c149afbf4c8996fb924"))

    def test_the_client_has_an_archive_of_another_name_with_sorted_files_of_one_time(self):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / "reelhook" / "completions").mkdir(parents=True)
            for name in ("reelhook", "completions/reelhook.fish", "completions/_reelhook", "SHA256SUMS"):
                (root / "reelhook" / name).write_text(name, encoding="utf-8")
            zips.main(directory, "reelhook=reelhook-1.0.0-x86_64")
            with zipfile.ZipFile(root / "reelhook-1.0.0-x86_64.zip") as packed:
                entries = packed.infolist()
            names = ["SHA256SUMS", "completions/_reelhook", "completions/reelhook.fish", "reelhook"]
            self.assertEqual([entry.filename for entry in entries], names)
            self.assertEqual({entry.date_time for entry in entries}, {zips.date_of(os.environ)})
            executable = [entry.filename for entry in entries if entry.external_attr >> 16 & 0o111]
            self.assertEqual(executable, ["reelhook"])
            lines = (root / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
            self.assertEqual([line.split("  ")[1] for line in lines], ["reelhook/reelhook", "reelhook-1.0.0-x86_64.zip"])


class Pins(unittest.TestCase):
    """What is downloaded is what was once reviewed: each package of others has the hash of its archive."""

    def files(self, *patterns):
        ours = (path for pattern in patterns for path in ROOT.rglob(pattern))
        skipped = {".local", "node_modules", "target"}
        found = sorted(path for path in ours if not skipped & set(path.relative_to(ROOT).parts))
        self.assertTrue(found)
        return found

    def test_each_python_package_has_hashes(self):
        for path in self.files("requirements*.txt"):
            text = path.read_text(encoding="utf-8").replace("\\\n", " ")
            for line in (line for line in text.splitlines() if line and not line.startswith("#")):
                with self.subTest(path=path.relative_to(ROOT), line=line[:60]):
                    self.assertRegex(line, r"^[A-Za-z0-9._-]+(\[[a-z, ]+\])?==[^ ]+ .*--hash=sha256:[0-9a-f]{64}")

    def test_each_list_of_packages_is_the_lock_of_a_list_of_wishes(self):
        for path in self.files("requirements*.txt"):
            wishes = path.with_suffix(".in").read_text(encoding="utf-8")
            locked = path.read_text(encoding="utf-8")
            for line in (line for line in wishes.splitlines() if line and not line.startswith("#")):
                name, version = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^ ]+)", line).groups()
                with self.subTest(path=path.relative_to(ROOT), line=line):
                    self.assertRegex(locked, rf"(?m)^{re.escape(name)}(\[[a-z, ]+\])?=={re.escape(version)} ")

    def test_each_node_package_has_a_hash(self):
        for path in self.files("package.json"):
            lock = json.loads(path.with_name("package-lock.json").read_text(encoding="utf-8"))
            for name, package in lock["packages"].items():
                with self.subTest(path=path.relative_to(ROOT), name=name):
                    self.assertTrue(not name or package.get("link") or package["integrity"].startswith("sha512-"))

    def test_each_crate_has_a_checksum(self):
        lock = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
        self.assertEqual(len(sbom.checksums(lock)), lock.count("\nsource = "))


if __name__ == "__main__":
    unittest.main()
