"""Expands the loops of a template (Fn::ForEach), as the transform AWS::LanguageExtensions does on AWS.

Programs that look at all resources need it. What is deployed has its loops: AWS and the emulator expand them themselves.
"""

TRANSFORM = "AWS::LanguageExtensions"
LOOP = "Fn::ForEach::"
SECTIONS = ("Conditions", "Resources", "Outputs")


def expanded(template):
    """The template without loops; lookups in Mappings whose keys are known are replaced by their values."""
    mappings = template.get("Mappings", {})
    plain = {name: expand(part, {}, mappings) if name in SECTIONS else part for name, part in template.items()}
    transforms = plain.get("Transform")
    if isinstance(transforms, list) and TRANSFORM in transforms:
        plain["Transform"] = [name for name in transforms if name != TRANSFORM]
    return plain


def expand(node, bound, mappings):
    """A part of a template, with the items in `bound` in place of the identifiers of the loops around it."""
    if isinstance(node, list):
        return [expand(part, bound, mappings) for part in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((name, value),) = node.items()
        if name == "Ref":
            return bound[value] if isinstance(value, str) and value in bound else {name: text(expand(value, bound, mappings))}
        if name == "Fn::Sub":
            return {name: substituted(value, bound, mappings)}
        if name == "Fn::GetAtt" and isinstance(value, list):
            return {name: [text(expand(part, bound, mappings)) for part in value]}
        if name == "Fn::FindInMap":
            keys = expand(value, bound, mappings)
            known = all(isinstance(key, str) for key in keys)
            return mappings[keys[0]][keys[1]][keys[2]] if known else {name: keys}
    found = {}
    for name, value in node.items():
        members = repeated(value, bound, mappings) if name.startswith(LOOP) else {name: expand(value, bound, mappings)}
        for member in members:
            if member in found:
                raise ValueError(f"{name} creates `{member}`, which exists already")
        found |= members
    return found


def repeated(loop, bound, mappings):
    """The members that a loop creates."""
    identifier, items, fragment = loop
    found = {}
    for item in items:
        inner = bound | {identifier: item}
        found |= expand({filled(name, inner): value for name, value in fragment.items()}, inner, mappings)
    return found


def substituted(value, bound, mappings):
    """The argument of an Fn::Sub."""
    if isinstance(value, str):
        return filled(value, bound)
    template, variables = value
    return [filled(template, bound), {name: expand(part, bound, mappings) for name, part in variables.items()}]


def filled(string, bound):
    for identifier, item in bound.items():
        string = string.replace(f"${{{identifier}}}", item)
    return string


def text(node):
    """The text of an Fn::Sub in which nothing is left to substitute: a name in a Ref or an Fn::GetAtt."""
    if isinstance(node, dict) and isinstance(node.get("Fn::Sub"), str) and "${" not in node["Fn::Sub"]:
        return node["Fn::Sub"]
    return node
