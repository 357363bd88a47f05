"""Each parameter and each setting stands in its table of the README, in the roles of the functions that read it, and in the
commands that make it or miss it."""

import pathlib
import re
import unittest

from commands import preflight, secrets
from commands.template import FUNCTION, Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = Template.load(ROOT / "template.yaml")
# What the functions' lists of settings name by a constant.
CONSTANTS = {"Edge::SETTING": ["EDGE_SECRET"], "OPTIONS": [secrets.OPTIONS]}
# Made for a laptop, given by Creatomate on AWS.
GIVEN = {"CREATOMATE_API_KEY"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def rows(text):
    """The cells of the first table in a text, without its head."""
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE).group()
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line] for line in lines]


def table(path, heading):
    """Rows of the table below a heading, by each of the names in their first cells."""
    text = read(path).split(f"{heading}\n", 1)[1]
    return {name: row for row in rows(text) for name in re.findall(r"`(\w+)`", row[0])}


def in_roles():
    """The settings that the role of each function names, by the function's logical id."""
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

    def test_a_row_tells_the_default(self):
        for name, row in table("README.md", "### Template parameters").items():
            default = str(TEMPLATE.parameters()[name]["Default"])
            said = re.sub(r"[`,:]", " ", row[1]).split() if default.isdecimal() else row[1]
            self.assertIn(default or "", said, name)
            # What is empty has a meaning, which stands in words.
            self.assertTrue(default or not row[1].startswith("`"), name)

    def test_a_row_names_the_variable_that_functions_find_it_in(self):
        functions = [r["Properties"] for r in TEMPLATE.data["Resources"].values() if r["Type"] == FUNCTION]
        functions.append(TEMPLATE.data["Globals"]["Function"])
        environments = [function.get("Environment", {}).get("Variables", {}) for function in functions]
        for name, row in table("README.md", "### Template parameters").items():
            given = {
                variable
                for environment in environments
                for variable, value in environment.items()
                # What only chooses between values, or is in the name of a resource, is not what the function finds.
                if re.search(rf"'Ref': '{name}'", str(value))
            }
            self.assertEqual(given, given & set(re.findall(r"`(\w+)`", row[2])), name)

    def test_the_edge_s_parameters_have_rows(self):
        listed = table("docs/edge.md", "does not name.")
        self.assertEqual(sorted(listed), sorted(Template.load(ROOT / "infra/edge.yaml").parameters()))


class Settings(unittest.TestCase):
    LISTED = table("README.md", "### Secrets and settings in SSM")

    def test_each_setting_that_a_function_may_read_has_a_row(self):
        self.assertEqual(sorted(self.LISTED), sorted(set().union(*in_roles().values())))

    def test_a_role_names_what_its_function_reads_and_no_more(self):
        for function, named in in_roles().items():
            crate = TEMPLATE.functions()[function]
            self.assertEqual(named, in_code(crate), function)

    def test_the_command_that_stores_them_knows_them_all(self):
        self.assertEqual(secrets.KNOWN, set(self.LISTED))
        together = list(self.LISTED)[list(self.LISTED).index(secrets.OPTIONS) + 1 :]
        self.assertEqual(sorted(together), sorted(secrets.OPTIONAL))
        sentence = re.search(r"Those from `(\w+)` on stand together", read("README.md")).group(1)
        self.assertEqual(sentence, together[0])

    def test_what_functions_do_not_start_without_is_made_and_missed(self):
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
