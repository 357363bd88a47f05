"""Writes the licences of the crates in each function's bootstrap, or in the client, beside the program:
`python3 crate_notice.py TARGET DIRECTORY NAME…`, where TARGET is that of the build, such as
aarch64-unknown-linux-gnu, and the program of the package NAME is in DIRECTORY/NAME. Needs cargo."""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "THIRD-PARTY.txt"
# Files of a crate that are licence texts or notices, such as LICENSE-MIT, COPYING, NOTICE.md.
TEXTS = re.compile(r"(licen[sc]e|copying|copyright|unlicense|notice)\b.*", re.IGNORECASE)
# Of several licences to choose from, the first of these is chosen. The texts of ours are for crates without any.
CHOICE = {"MIT": ROOT / "LICENSE-MIT", "Apache-2.0": ROOT / "LICENSE-APACHE"}
HEAD = """\
The program `{function}` of Reelhook (MIT OR Apache-2.0) contains these crates, unchanged, and the standard library of
Rust (MIT OR Apache-2.0, https://github.com/rust-lang/rust). Where a crate offers several licences, MIT is chosen, else
Apache-2.0. The texts follow.

{crates}
"""


class Problem(Exception):
    """A crate whose licence can't be given."""


def cargo(*arguments):
    command = [os.environ.get("CARGO", "cargo"), *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def workspace(target):
    """The packages of the workspace and their dependencies, as `cargo metadata` describes them, and the names and
    versions of those that are built for the target when no test is."""
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--locked", "--filter-platform", target))
    tree = cargo("tree", "--workspace", "--locked", "--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none")
    return metadata, {tuple(line.split()[:2]) for line in tree.splitlines() if line}


def linked(metadata, built, function):
    """The packages of others in a function's bootstrap."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    left = [id for id, package in packages.items() if package["name"] == function and package["source"] is None]
    if not left:
        raise Problem(f"the workspace has no package `{function}`")
    found = set(left)
    while left:
        for dependency in nodes[left.pop()]["deps"]:
            id = dependency["pkg"]
            is_normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            # The description also has what only tests enable.
            is_built = (packages[id]["name"], f"v{packages[id]['version']}") in built
            if is_normal and is_built and id not in found:
                found.add(id)
                left.append(id)
    others = (packages[id] for id in found if packages[id]["source"] is not None)
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def texts(package):
    """The licence texts and notices of a package, by their names."""
    licence = package["license"] or ""
    named = [name for name in CHOICE if re.search(rf"\b{re.escape(name)}\b", licence)]
    files = sorted(file for file in pathlib.Path(package["manifest_path"]).parent.iterdir() if TEXTS.fullmatch(file.name))
    found = {file.name: file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()}
    for choice in named if "AND" not in licence else []:
        word = choice.partition("-")[0].upper()
        chosen = [name for name in found if word in name.upper()]
        if chosen:
            return {name: text for name, text in found.items() if name in chosen or "NOTICE" in name.upper()}
    if found:
        return found
    if not named:
        raise Problem(f"{package['name']} {package['version']} comes without the text of its licence `{licence}`")
    authors = ", ".join(package["authors"]) or f"the authors of {package['name']}"
    text = CHOICE[named[0]].read_text(encoding="utf-8")
    return {named[0]: re.sub(r"^Copyright .*", f"Copyright (c) {authors}", text, count=1, flags=re.MULTILINE)}


def notice(function, packages):
    """The notice of a function: its crates, then each text once, below the crates that it belongs to."""
    owners, first = {}, {}
    for package in packages:
        for name, text in texts(package).items():
            same = " ".join(text.split()).lower()
            owners.setdefault(same, []).append(f"{package['name']} {package['version']} ({name})")
            first.setdefault(same, text.strip())
    rows = (f"  {crate['name']} {crate['version']}  {crate['license']}  {crate['repository'] or ''}".rstrip() for crate in packages)
    parts = [HEAD.format(function=function, crates="\n".join(rows))]
    parts += [f"{'-' * 80}\n{', '.join(owners[same])}\n\n{text}\n" for same, text in first.items()]
    return "\n".join(parts)


def main(target, directory, *functions):
    metadata, built = workspace(target)
    for function in functions:
        path = pathlib.Path(directory, function, NAME)
        path.write_text(notice(function, linked(metadata, built, function)), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Problem, subprocess.CalledProcessError) as problem:
        sys.exit(f"infra/local/crate_notice.py: {problem}")
