"""Each parameter and each setting is described in docs/settings.md; each setting is in the roles of the functions that read
it, and in the commands that generate or require it; each variable is in the environment of the functions that read it.

REELHOOK_UPDATE_DOCS=1 writes the tables of docs/settings.md.
"""

import os
import pathlib
import re
import unittest

import reference
from commands import preflight
from commands.settings import MEMBERS, NAMES, OPTIONS, SETTINGS
from commands.template import FUNCTION, Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
# Settings that the functions' lists name by a constant.
CONSTANTS = {
    "Edge::SETTING": "EDGE_SECRET",
    "OPTIONS": OPTIONS,
    "TOKENS": "CALLBACK_TOKEN_SECRET",
    "URL": "NOTIFICATION_SERVICE_URL",
    "notification::URL": "NOTIFICATION_SERVICE_URL",
    "KEY": "NOTIFICATION_API_KEY",
}
# Lists of settings that functions name, and the files that have them.
SHARED = {
    "notification::SETTINGS": "shared/app/src/webhooks/notification.rs",
    "WebhookSecrets::SETTINGS": "shared/aws/src/webhooks/secrets.rs",
    "CallbackKeys::SETTINGS": "shared/http/src/projects/callbacks/sender.rs",
    "ReportKeys::SETTINGS": "shared/http/src/clips/webhook/sender.rs",
}
# What functions that check keys have in their source. They read the credentials before their own settings.
CHECKS_KEYS = re.compile(r"Access::SETTINGS|\bWithAccess\b|\.with_access\(|::for_callers\(")
# What functions that owners may call have in their source.
CHECKS_OWNERS = re.compile(r"::for_callers\(")
# Where functions read their variables.
READERS = (
    "shared/aws/src/environment",
    "shared/aws/src/resources.rs",
    "shared/api/src/api.rs",
    "shared/api/src/reports.rs",
)
# The methods whose variables the template inserts together, and what their functions have in their source.
GROUPS = {
    "owner_tokens": CHECKS_OWNERS,
    "project_policy": re.compile(r"\.project_policy\(\)"),
    "clip_policy": re.compile(r"\.clip_policy\(\)"),
}
# Generated for a local stack; on AWS the value comes from Creatomate.
GIVEN = {"CREATOMATE_API_KEY"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def table(path, heading):
    """The names in the first cells of the table below a heading."""
    rows = re.search(r"(?:^\|.*\n)+", read(path).split(f"{heading}\n", 1)[1], re.MULTILINE).group().splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def in_code(crate):
    """The settings that a function reads, in order."""
    files = sorted((ROOT / f"functions/{crate}/src").rglob("*.rs"))
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    own = names_in(source) or []
    for name, path in SHARED.items():
        if name in source:
            own += names_in(read(path))
    keys = names_in(read("shared/http/src/access.rs")) if CHECKS_KEYS.search(source) else []
    keys += names_in(read("shared/http/src/access/jwt.rs")) if CHECKS_OWNERS.search(source) else []
    return [name for name in keys if name not in own] + own


def code_of(path):
    """The code of a file, or of those in a folder, without comments and tests."""
    found = ROOT / path
    files = sorted(found.rglob("*.rs")) if found.is_dir() else [found]
    sources = (file.read_text(encoding="utf-8").split("#[cfg(test)]")[0] for file in files)
    return re.sub(r"//.*", "", "\n".join(sources))


def methods():
    """The bodies of the functions in READERS, by name; those of one name together."""
    found = {}
    for path in READERS:
        _, *parts = re.split(r"\bfn (\w+)", code_of(path))
        for name, body in zip(parts[::2], parts[1::2]):
            found[name] = found.get(name, "") + body
    return found


def variables_in(source, bodies):
    """The names of variables in a source, and in the bodies of what it calls."""
    found, waiting, seen = set(), [source], set()
    while waiting:
        body = waiting.pop()
        found |= set(re.findall(r'"([A-Z][A-Z0-9_]+)"', body))
        called = set(re.findall(r"\b(\w+)(?:::<\w+>)?\(", body)) & set(bodies) - seen
        waiting += [bodies[name] for name in called]
        seen |= called
    return found


def names_in(source):
    """The names in a list of settings in Rust."""
    listed = re.search(r"const SETTINGS: [^=]+=\s*&?\[(.*?)\];", source, re.DOTALL)
    if not listed:
        return None
    entries = [entry.strip() for entry in re.sub(r"//.*", "", listed.group(1)).split(",") if entry.strip()]
    return [CONSTANTS.get(entry) or entry.strip('"') for entry in entries]


class Documents(unittest.TestCase):
    """docs/settings.md has generated tables."""

    maxDiff = None

    def test_the_tables_are_those_of_the_template_and_of_the_settings(self):
        written = expected = read("docs/settings.md")
        for marker, table in (("parameters", reference.parameters), ("settings", reference.settings)):
            expected = reference.between(expected, marker, table(TEMPLATE))
        if os.environ.get("REELHOOK_UPDATE_DOCS") == "1":
            (ROOT / "docs/settings.md").write_text(expected, encoding="utf-8")
        else:
            self.assertEqual(written, expected, "docs/settings.md is outdated: run this test with REELHOOK_UPDATE_DOCS=1")

    def test_the_parameters_of_the_edge_have_rows(self):
        listed = table("docs/edge.md", "does not name.")
        self.assertEqual(sorted(listed), sorted(Template.load(ROOT / "infra/edge.yaml").parameters()))


class Parameters(unittest.TestCase):
    def test_each_parameter_is_in_one_group_and_has_a_description_and_a_default(self):
        groups = TEMPLATE.data["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        named = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(named), sorted(TEMPLATE.parameters()))
        for name, parameter in TEMPLATE.parameters().items():
            self.assertTrue(parameter.get("Description"), name)
            self.assertIn("Default", parameter, name)


class Variables(unittest.TestCase):
    """Lambda limits the environment of a function, so that it has the variables that it reads, and those of all."""

    COMMON = set(TEMPLATE.data["Globals"]["Function"]["Environment"]["Variables"])
    OWN = {n: set(r["Properties"]["Environment"]["Variables"]) for n, r in TEMPLATE.resources().items() if r["Type"] == FUNCTION}
    SOURCES = {n: code_of(f"functions/{crate}/src") for n, crate in TEMPLATE.functions().items()}

    def test_a_function_reads_its_variables(self):
        bodies = methods()
        for function, own in self.OWN.items():
            self.assertEqual(own - variables_in(self.SOURCES[function], bodies), set(), function)
            self.assertEqual(own & self.COMMON, set(), f"{function} has them from Globals")

    def test_a_function_has_the_variables_that_are_read_together(self):
        bodies, known = methods(), self.COMMON.union(*self.OWN.values())
        for method, called in GROUPS.items():
            read = variables_in(bodies[method], bodies) & known
            self.assertGreater(len(read - self.COMMON), 3, method)
            functions = [function for function, source in self.SOURCES.items() if called.search(source)]
            self.assertGreater(len(functions), 3, method)
            for function in functions:
                self.assertEqual(read - self.OWN[function] - self.COMMON, set(), f"{function} reads them in {method}")


class Settings(unittest.TestCase):
    def test_each_setting_is_listed_once_and_read_by_a_function(self):
        self.assertEqual(len(NAMES), len(SETTINGS))
        self.assertEqual(set().union(*reference.in_roles(TEMPLATE).values()), NAMES)

    def test_a_role_names_exactly_the_settings_that_its_function_reads(self):
        for function, named in reference.in_roles(TEMPLATE).items():
            self.assertEqual(named, set(in_code(TEMPLATE.functions()[function])), function)

    def test_a_role_must_name_each_setting(self):
        prefix = {"Settings": {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${SettingsPath}"}}
        self.assertEqual(reference.name_of({"Fn::Sub": ["${Settings}/API_KEYS", prefix]}), "API_KEYS")
        for path in ("${Settings}/*", "${Settings}/WEBHOOK_*", "${Settings}/a/b"):
            with self.assertRaises(ValueError):
                reference.name_of({"Fn::Sub": [path, prefix]})

    def test_the_statement_that_two_roles_share_names_no_secret(self):
        source = read("template.yaml")
        (shared,) = re.findall(r"&ReadsMembersOfOptions \{(.*?)\},\n", source, re.DOTALL)
        public = {setting.name for setting in SETTINGS if setting.member and not setting.secret}
        self.assertEqual(set(re.findall(r"'\$\{Settings\}/(\w+)'", shared)), public)

    def test_functions_read_all_settings_in_one_call(self):
        for crate in set(TEMPLATE.functions().values()):
            names = in_code(crate)
            if OPTIONS in names:
                # The names after it are members of it.
                self.assertEqual(sorted(names[names.index(OPTIONS) + 1 :]), sorted(MEMBERS), crate)
                names = names[: names.index(OPTIONS) + 1]
            # `webhooks-admin`, which only operators call, reads an eleventh name in a second call (ADR 67).
            most = 11 if crate == "webhooks-admin" else 10
            self.assertLessEqual(len(names), most, f"{crate}: SSM answers a call with at most ten names")

    def test_required_settings_are_generated_and_checked(self):
        self.assertEqual(set(preflight.NEEDED), {setting.name for setting in SETTINGS if setting.without})
        made = re.search(r"fn generated_secrets.*?\[(.*?)\]", read("infra/xtask/src/up.rs"), re.DOTALL).group(1)
        made = set(re.findall(r'"(\w+)"', made)) - GIVEN
        self.assertEqual(made, {setting.name for setting in SETTINGS if setting.generated})
        self.assertLessEqual(made, {setting.name for setting in SETTINGS if setting.secret})
        self.assertLessEqual(set(preflight.NEEDED), made)

    def test_the_defaults_are_those_of_the_functions(self):
        source = read("shared/app/src/webhooks/settings.rs")
        numbers = dict(re.findall(r'number\("(\w+)", ([\d_]+),', source))
        self.assertGreater(len(numbers), 8)
        described = {setting.name: setting.default for setting in SETTINGS}
        for name, number in numbers.items():
            self.assertEqual(described[name], number.replace("_", ""), name)


if __name__ == "__main__":
    unittest.main()
