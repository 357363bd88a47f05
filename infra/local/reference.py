"""The tables of docs/settings.md: the template's parameters, and the settings in SSM. test_settings.py compares them."""

import re

from commands.settings import OPTIONS, SETTINGS
from commands.template import FUNCTION

# Pages about single parameters.
PAGES = {
    "QueueDestinations": "endpoints.md#queues-and-event-buses",
    "BusDestinations": "endpoints.md#queues-and-event-buses",
    "Metrics": "metrics.md",
    "Dashboard": "metrics.md#the-dashboard",
    "Renderer": "videos.md",
    "RenderLayerArn": "deployment.md#the-layer-for-videos",
    "DeletionProtection": "deployment.md#steps",
    "LiveOverApi": "edge.md",
    "CallbacksBy": "deployment.md#callbacks-at-a-function-url",
    "JobInbox": "inbox.md",
    "JobInboxOwners": "inbox.md#owners",
}


def parameters(template):
    """A table for each group of parameters."""
    groups = template.data["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    known, variables = template.parameters(), variables_of(template)
    lines = []
    for group in groups:
        lines += [f"**{group['Label']['default']}**", ""]
        lines += ["| parameter | default | values | variable | |", "|---|---|---|---|---|"]
        for name in group["Parameters"]:
            linked = f"[`{name}`]({PAGES[name]})" if name in PAGES else f"`{name}`"
            given = listed(sorted(variables.get(name, ())))
            text = described(known[name]["Description"], known)
            lines.append(row((linked, code(known[name]["Default"]), values(known[name]), given, text)))
        lines.append("")
    return lines[:-1]


def variables_of(template):
    """The environment variables of functions that contain a parameter, by parameter."""
    functions = [r["Properties"] for r in template.resources().values() if r["Type"] == FUNCTION]
    found = {}
    for function in (*functions, template.data["Globals"]["Function"]):
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            for name in re.findall(r"'Ref': '(\w+)'", str(value)):
                found.setdefault(name, set()).add(variable)
    return found


def described(description, parameters):
    """A parameter's description, which is plain text in the template, with names and commands as code."""
    names = "|".join([*parameters, *(setting.name for setting in SETTINGS)])
    return re.sub(rf"\b(?:{names})\b|cargo xtask \w+|infra/[\w.]+", r"`\g<0>`", description)


def values(parameter):
    """The values that a parameter may have."""
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if "AllowedValues" in parameter:
        return ", ".join(code(value) for value in parameter["AllowedValues"])
    if "MaxLength" in parameter:
        return f"up to {parameter['MaxLength']} characters"
    if most is None:
        return "" if least is None else f"from {least}"
    return f"up to {most}" if least is None else f"{least} to {most}"


def settings(template):
    """A table of the settings, and one of the members of OPTIONS."""
    readers = readers_of(template)
    keys = readers["API_KEYS"]
    lines = ["| name | secret | default | | read by |", "|---|---|---|---|---|"]
    for setting in SETTINGS:
        if not setting.member:
            by = "functions that check keys" if readers[setting.name] == keys else listed(readers[setting.name])
            secret = "yes" if setting.secret else ""
            lines.append(row((f"`{setting.name}`", secret, default(setting), setting.meaning, by)))
    lines += ["", f"Functions that check keys: {listed(keys)}.", ""]
    lines += [f"Members of `{OPTIONS}`, read by {listed(readers[OPTIONS])}:", "", "| name | default | |", "|---|---|---|"]
    return [*lines, *(row((f"`{one.name}`", default(one), one.meaning)) for one in SETTINGS if one.member)]


def readers_of(template):
    """The functions whose roles may read a setting, by setting."""
    found = {setting.name: set() for setting in SETTINGS}
    for function, names in in_roles(template).items():
        for name in names:
            found[name].add(template.functions()[function])
    # A crate that is deployed twice counts once.
    return {name: sorted(functions) for name, functions in found.items()}


def in_roles(template):
    """The settings that the role of each function may read, by the function's logical id."""
    resources, found = template.resources(), {}
    for function, resource in resources.items():
        if resource["Type"] == FUNCTION:
            role = resources[resource["Properties"]["Role"]["Fn::GetAtt"][0]]["Properties"]
            (policy,) = role["Policies"]
            statements = [s for s in policy["PolicyDocument"]["Statement"] if s.get("Action") == "ssm:GetParameters"]
            found[function] = {name_of(arn) for statement in statements for arn in as_list(statement["Resource"])}
    return found


def name_of(arn):
    """The setting of an ARN in a role, which must name one."""
    path, variables = arn["Fn::Sub"]
    prefix = variables["Settings"]["Fn::Sub"]
    name = re.fullmatch(r"\$\{Settings\}/(\w+)", path)
    if not name or not prefix.endswith(":parameter${SettingsPath}"):
        raise ValueError(f"not the ARN of one setting: {arn}")
    return name.group(1)


def default(setting):
    """The value without the setting, or whether it is required; and whether a command generates it."""
    text = code(setting.default)
    if setting.without:
        text = "**required**" if setting.always else "**required** unless `Auth` is `none`"
    return f"{text}; *generated*" if setting.generated else text


def code(value):
    return f"`{value}`" if value != "" else "none"


def listed(names):
    return ", ".join(f"`{name}`" for name in names)


def row(cells):
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in escaped)}|"


def as_list(value):
    return value if isinstance(value, list) else [value]


def between(text, marker, lines):
    """`text` with these lines between the markers."""
    begin, end = f"<!-- {marker}:begin -->\n", f"<!-- {marker}:end -->"
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return before + begin + "\n".join(lines) + "\n" + end + after
