"""Checks of the documents: each function takes texts and returns the problems that it found, a sentence each."""

import pathlib
import re

# Folders that contain no documents of ours.
FOREIGN = {".git", ".local", "node_modules", "target"}
METHODS = ("get", "post", "put", "patch", "delete")
FENCE = re.compile(r"^[ \t]*```.*?^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)|(?:src|href)=\"([^\"]+)\"")
RUN = re.compile(r"^[ \t]*<!-- run: ([\w-]+) -->$(\n[ \t]*```(?:sh|python)$)?", re.MULTILINE)
# A word in a path may stand for any, as in `functions/<name>/src/lib.rs`, and so may `*`.
ANY = re.compile(r"<[\w-]+>|\*+")
PATH = r"(?<![\w./:-])(?:%s)/(?:[\w./*-]|<[\w-]+>)*"


def documents(root):
    """The documents below a folder, by their paths."""
    found = {}
    for path in sorted(pathlib.Path(root).rglob("*.md")):
        name = path.relative_to(root)
        if not FOREIGN & set(name.parts):
            found[name.as_posix()] = path.read_text(encoding="utf-8")
    return found


def anchor_of(heading):
    """The anchor of a heading, as GitHub makes it, unless an earlier heading has the same."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def anchors(text):
    """The anchors of a document's headings, as GitHub makes them."""
    found, counts = set(), {}
    for heading in HEADING.findall(FENCE.sub("", text)):
        anchor = anchor_of(heading)
        count = counts.get(anchor, 0)
        counts[anchor] = count + 1
        found.add(f"{anchor}-{count}" if count else anchor)
    return found


def links(text):
    """The targets of a document's links and images."""
    prose = SPAN.sub("", FENCE.sub("", text))
    return [target or source for target, source in LINK.findall(prose)]


def broken_links(root, texts):
    """Links to files or headings that do not exist."""
    root, problems = pathlib.Path(root), []
    for document, text in texts.items():
        for target in links(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            found = (root / document).parent / path if path else root / document
            if not found.exists():
                problems.append(f"{document}: `{target}` does not exist")
            elif anchor and anchor not in anchors(found.read_text(encoding="utf-8")):
                problems.append(f"{document}: `{target}`: there is no such heading")
    return problems


def missing_paths(root, texts):
    """Paths of the repository that do not exist."""
    root, problems = pathlib.Path(root), []
    folders = [path.name for path in root.iterdir() if path.is_dir() and path.name not in FOREIGN]
    for document, text in texts.items():
        prose = re.sub(r"\]\([^)]*\)", "]", text)
        for path in re.findall(PATH % "|".join(map(re.escape, folders)), prose):
            path = path.rstrip("./")
            found = root.glob(ANY.sub("*", path)) if ANY.search(path) else [root / path]
            if not any(one.exists() for one in found):
                problems.append(f"{document}: `{path}` does not exist")
    return problems


def missing_tests(root, text):
    """Tests that a document names with their file, as `name` in `path`, and that the file does not have."""
    problems = []
    for names, path in re.findall(r"((?:`\w+`(?:, | and ))*`\w+`) in `([\w./-]+)`", text):
        file = pathlib.Path(root) / path
        source = file.read_text(encoding="utf-8") if file.is_file() else ""
        for name in re.findall(r"`(\w+)`", names):
            if not re.search(rf"\b(?:fn|def) {name}\(", source):
                problems.append(f"`{path}` has no test `{name}`")
    return problems


def commands(source):
    """The commands and the flags in a source of xtask: names as on the command line."""
    names = set()
    for enum in re.findall(r"^(?:pub )?enum (?:Command|Bench|Catalog|Owner|Proof) \{\n(.*?)^\}", source, re.MULTILINE | re.DOTALL):
        names |= {kebab(name) for name in re.findall(r"^    ([A-Z]\w*)", enum, re.MULTILINE)}
    flags = set()
    for attribute, field in re.findall(r"#\[arg\(((?:[^()]|\([^()]*\))*)\)\]\s*(?:pub )?(\w+):", source):
        named = re.search(r'\blong = "([\w-]+)"', attribute)
        if named or re.search(r"\blong\b", attribute):
            flags.add(named.group(1) if named else field.replace("_", "-"))
    return names, flags


def kebab(name):
    return re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()


def unknown_commands(names, flags, texts):
    """`cargo xtask` commands and their flags that do not exist."""
    names, flags, problems = names | {"help"}, flags | {"help", "version"}, []
    for document, text in texts.items():
        for name, rest in re.findall(r"cargo xtask ([a-z][\w-]*)([^`\n#&;|]*)", text.replace("\\\n", " ")):
            words = rest.split()
            if name not in names or (name in ("catalog", "owner") and words[:1] and words[0] not in names):
                problems.append(f"{document}: `cargo xtask {name}{rest.rstrip()}`: there is no such command")
            for flag in [word[2:].partition("=")[0] for word in words if word.startswith("--")]:
                if flag not in flags:
                    problems.append(f"{document}: `cargo xtask {name}` has no flag `--{flag}`")
    return problems


def wrong_routes(text, description):
    """Routes in the tables of a document that the API does not have, and routes of the API that are in no table."""
    listed = set()
    for cell in re.findall(r"^\|([^|]*)\|", text, re.MULTILINE):
        listed |= set(re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?]*)", cell))
    paths = description["paths"].items()
    there = {(method.upper(), path) for path, operations in paths for method in operations if method in METHODS}
    problems = [f"{method} {path}: the API has no such route" for method, path in sorted(listed - there)]
    return problems + [f"{method} {path}: is in no table" for method, path in sorted(there - listed)]


def unlisted(texts, folder):
    """Pages of a folder, and indexes of the folders in it, that its index does not name."""
    index = f"{folder}/README.md"
    named = {f"{folder}/{target.partition('#')[0]}" for target in links(texts[index])} | {index}
    pages = [name for name in texts if re.fullmatch(rf"{folder}/([\w-]+|[\w-]+/README)\.md", name)]
    return [f"{page}: {index} does not name it" for page in pages if page not in named]


def too_long(texts, name, limit):
    """A document with more lines than it may have."""
    lines = texts[name].count("\n")
    return [f"{name} must have at most {limit} lines (got {lines})"] if lines > limit else []


def wrong_sums(text):
    """Dollars in a row that are not the sum of the section to which the row links, rounded to three digits. The sum is in
    the row `**together**` of the section's table."""
    _, *parts = HEADING.split(FENCE.sub("", text))
    sums = {}
    for heading, section in zip(parts[::2], parts[1::2]):
        found = re.search(r"^\| \*\*together\*\* .*\*\*([\d.]+)\*\* \|$", section, re.MULTILINE)
        if found:
            sums[anchor_of(heading)] = float(f"{float(found[1]):.3g}")
    rows = re.findall(r"^\|[^|]*\]\(#([\w-]+)\)[^|]*\| \$([\d,.]+) \|$", text, re.MULTILINE)
    shown = [(target, float(number.replace(",", ""))) for target, number in rows]
    return [f"#{target}: ${number:,g} must be ${sums[target]:,g}" for target, number in shown if sums.get(target, number) != number]


def wrong_blocks(texts, source):
    """Marked code blocks that no test of this source runs, and tests of blocks that do not exist."""
    problems, marked = [], set()
    for document, text in texts.items():
        for name, fence in RUN.findall(text):
            marked.add((document, name))
            if not fence:
                problems.append(f"{document}: below `run: {name}` there is no code block of `sh` or `python`")
    tested = set(re.findall(r'"([\w/-]+\.md)",\s*"([\w-]+)"', source))
    problems += [f"{document}: no test runs the block `{name}`" for document, name in sorted(marked - tested)]
    return problems + [f"{document}: there is no block `{name}`" for document, name in sorted(tested - marked)]
