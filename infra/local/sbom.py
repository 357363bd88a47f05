"""Writes a software bill of materials for each function's bootstrap (CycloneDX 1.6, JSON):
`python3 sbom.py TARGET DIRECTORY FUNCTION…` writes DIRECTORY/FUNCTION.cdx.json, with the crates that are linked into
DIRECTORY/FUNCTION/bootstrap. The same lock file, target and bootstrap give the same bytes. Needs cargo."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

import crate_notice
from crate_notice import ROOT, Problem

# A package of Cargo.lock with what identifies its source.
LOCKED = re.compile(r'\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"')


def reference(package):
    """The package URL of a crate, by which the document refers to it."""
    return f"pkg:cargo/{package['name']}@{package['version']}"


def checksums(lock):
    """The SHA-256 of each crate's archive, by its name and version."""
    return {(name, version): checksum for name, version, checksum in LOCKED.findall(lock)}


def expression(licence):
    """A licence as SPDX writes it; older crates have a slash in place of OR."""
    return re.sub(r"\s*/\s*", " OR ", licence)


def component(package, found):
    """One crate."""
    checksum = found.get((package["name"], package["version"]))
    if checksum is None:
        raise Problem(f"Cargo.lock has no checksum of {package['name']} {package['version']}")
    described = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
        "hashes": [{"alg": "SHA-256", "content": checksum}],
    }
    if package["license"]:
        described["licenses"] = [{"expression": expression(package["license"])}]
    if package["repository"]:
        described["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return described


def graph(metadata, crates):
    """The crates that each of these crates depends on directly."""
    names = {package["id"]: reference(package) for package in crates}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    return [
        {"ref": names[id], "dependsOn": sorted({names[one["pkg"]] for one in nodes[id]["deps"] if one["pkg"] in names})}
        for id in sorted(names, key=names.get)
    ]


def document(function, version, crates, metadata, found, compiler, digest):
    """The bill of materials of one function."""
    own = f"reelhook:{function}"
    standard_library = {
        "type": "library",
        "bom-ref": "rust-std",
        "name": "rust-std",
        "version": compiler,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "externalReferences": [{"type": "vcs", "url": "https://github.com/rust-lang/rust"}],
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        # Neither a time nor a random serial number: the same bootstrap has the same document.
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": function,
                "version": version,
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            },
        },
        "components": [*(component(crate, found) for crate in crates), standard_library],
        "dependencies": [
            {"ref": own, "dependsOn": sorted([*map(reference, crates), "rust-std"])},
            *graph(metadata, crates),
        ],
    }


def main(target, directory, *functions):
    metadata, built = crate_notice.workspace(target)
    found = checksums((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    compiler = subprocess.run(
        [os.environ.get("RUSTC", "rustc"), "--version"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()[1]
    versions = {package["name"]: package["version"] for package in metadata["packages"] if package["source"] is None}
    for function in functions:
        crates = crate_notice.linked(metadata, built, function)
        digest = hashlib.sha256(pathlib.Path(directory, function, "bootstrap").read_bytes()).hexdigest()
        text = document(function, versions[function], crates, metadata, found, compiler, digest)
        path = pathlib.Path(directory, f"{function}.cdx.json")
        path.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Problem, subprocess.CalledProcessError) as problem:
        sys.exit(f"infra/local/sbom.py: {problem}")
