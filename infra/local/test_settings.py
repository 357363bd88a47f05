"""Each parameter and each setting is in its table of the README, in the roles of the functions that read it, and in the
commands that create or require it."""

import pathlib
import re
import unittest

from commands import preflight, secrets
from commands.template import FUNCTION, Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
# Settings that the functions' lists name by a constant.
CONSTANTS = {"Edge::SETTING": ["EDGE_SECRET"], "OPTIONS": [secrets.OPTIONS]}
# Generated for a local stack; on AWS the value comes from Creatomate.
GIVEN = {"CREATOMATE_API_KEY"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def rows(text):
    """The cells of the first table in a text, without its header."""
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE).group()
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line] for line in lines]


def table(path, heading):
    """The rows of the table below a heading, by each of the names in their first cells."""
    text = read(path).split(f"{heading}\n", 1)[1]
    return {name: row for row in rows(text) for name in re.findall(r"`(\w+)`", row[0])}


def in_roles():
    """The settings in the role of each function, by the function's logical id."""
    resources = TEMPLATE.data["Resources"]
    found = {}
    for name, resource in resources.items():
        if resource["Type"] == FUNCTION:
            role = resource["Properties"]["Role"]["Fn::GetAtt"][0]
            text = str(resources[role]["Properties"]["Policies"])
            found[name] = set(re.findall(r"\$\{SettingsPath\}/(\w+)", text))
    return found


def in_code(crate):
    """The settings that a function reads."""
    source = read(f"functions/{crate}/src/lib.rs")
    listed = re.search(r"const SETTINGS: &\[&str\] = &\[(.*?)\];", source, re.DOTALL)
    if listed:
        entries = re.sub(r"//.*", "", listed.group(1)).split(",")
    elif "Access::SETTINGS" in source:
        entries = re.search(r"SETTINGS: &\[&str\] = &\[(.*?)\];", read("shared/http/src/access.rs")).group(1).split(",")
    else:
        assert "Settings::load" not in source, crate
        entries = []
    entries = [entry.strip() for entry in entries if entry.strip()]
    return {name for entry in entries for name in CONSTANTS.get(entry, [entry.strip('"')])}


class Parameters(unittest.TestCase):
    def test_each_parameter_has_a_row_and_each_row_a_parameter(self):
        listed, there = table("README.md", "### Template parameters"), TEMPLATE.parameters()
        self.assertEqual(sorted(listed), sorted(there))
        groups = TEMPLATE.data["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        self.assertEqual(sorted(name for group in groups for name in group["Parameters"]), sorted(there))

    def test_a_row_contains_the_default(self):
        for name, row in table("README.md", "### Template parameters").items():
            default = str(TEMPLATE.parameters()[name]["Default"])
            cell = re.sub(r"[`,:]", " ", row[1]).split() if default.isdecimal() else row[1]
            self.assertIn(default or "", cell, name)
            # An empty default is explained in words.
            self.assertTrue(default or not row[1].startswith("`"), name)

    def test_a_row_names_the_functions_environment_variable(self):
        functions = [r["Properties"] for r in TEMPLATE.data["Resources"].values() if r["Type"] == FUNCTION]
        functions.append(TEMPLATE.data["Globals"]["Function"])
        environments = [function.get("Environment", {}).get("Variables", {}) for function in functions]
        for name, row in table("README.md", "### Template parameters").items():
            given = {
                variable
                for environment in environments
                for variable, value in environment.items()
                # A parameter in a condition or in the name of a resource is not a variable of the function.
                if re.search(rf"'Ref': '{name}'", str(value))
            }
            self.assertEqual(given, given & set(re.findall(r"`(\w+)`", row[2])), name)

    def test_the_parameters_of_the_edge_have_rows(self):
        listed = table("docs/edge.md", "does not name.")
        self.assertEqual(sorted(listed), sorted(Template.load(ROOT / "infra/edge.yaml").parameters()))


class Settings(unittest.TestCase):
    LISTED = table("README.md", "### Secrets and settings in SSM")

    def test_each_setting_that_a_function_may_read_has_a_row(self):
        self.assertEqual(sorted(self.LISTED), sorted(set().union(*in_roles().values())))

    def test_a_role_names_exactly_the_settings_that_its_function_reads(self):
        for function, named in in_roles().items():
            crate = TEMPLATE.functions()[function]
            self.assertEqual(named, in_code(crate), function)

    def test_the_command_that_stores_settings_knows_all_of_them(self):
        self.assertEqual(secrets.KNOWN, set(self.LISTED))
        optional = list(self.LISTED)[list(self.LISTED).index(secrets.OPTIONS) + 1 :]
        self.assertEqual(sorted(optional), sorted(secrets.OPTIONAL))
        sentence = re.search(r"Those from `(\w+)` on stand together", read("README.md")).group(1)
        self.assertEqual(sentence, optional[0])

    def test_required_settings_are_generated_and_checked(self):
        required = {name for name, row in self.LISTED.items() if row[1].startswith("**required**")}
        self.assertEqual(set(preflight.NEEDED), required | {"API_KEYS"})
        made = re.search(r"fn generated_secrets.*?\[(.*?)\]", read("infra/xtask/src/up.rs"), re.DOTALL).group(1)
        made = set(re.findall(r'"(\w+)"', made)) - GIVEN
        self.assertLessEqual(required, made)
        self.assertLessEqual(made, set(self.LISTED))
        sentence = re.search(r"It generates (.*?) where they are missing", read("README.md"), re.DOTALL).group(1)
        self.assertEqual(set(re.findall(r"`(\w+)`", sentence)), made)


if __name__ == "__main__":
    unittest.main()
