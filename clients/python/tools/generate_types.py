"""Writes jobqueue/_types.py: the schemas of docs/openapi.json as TypedDicts. `--check` only says whether it is current."""

import json
import keyword
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[2] / "docs" / "openapi.json"
TARGET = HERE.parent / "jobqueue" / "_types.py"

HEAD = '''"""The types of the API: made of docs/openapi.json by tools/generate_types.py, not by hand."""

# ruff: noqa
from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict, Union

'''

Schema = dict[str, Any]
PLAIN = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "object": "dict[str, Any]",
}


def join(types: list[str]) -> str:
    """A union, each member once; a null makes it Optional."""
    members = [name for place, name in enumerate(types) if name not in types[:place] and name != "None"]
    if not members:
        return "None"
    if "Any" in members:
        return "Any"
    union = members[0] if len(members) == 1 else f"Union[{', '.join(members)}]"
    return f"Optional[{union}]" if "None" in types else union


def expression(schema: Schema) -> str:
    """The type of a value, with schemas by their names."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return join([expression(each) for each in schema[several]])
    if "enum" in schema:
        return f"Literal[{', '.join(json.dumps(value) for value in schema['enum'])}]"
    if "allOf" in schema and len(schema["allOf"]) == 1:
        return expression(schema["allOf"][0])
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return join([expression({**schema, "type": kind}) for kind in kinds])
    if kinds == "array":
        return f"list[{expression(schema.get('items', {}))}]"
    if kinds == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"dict[str, {expression(schema['additionalProperties'])}]"
    if "allOf" in schema or "properties" in schema:
        return "dict[str, Any]"
    return PLAIN.get(kinds, "Any")


def fields(schema: Schema, schemas: dict[str, Schema]) -> tuple[dict[str, str], set[str]]:
    """The fields of an object, those of what it is composed of too, and which of them are always there."""
    if "$ref" in schema:
        return fields(schemas[str(schema["$ref"]).rsplit("/", 1)[1]], schemas)
    found: dict[str, str] = {}
    required: set[str] = set()
    for part in schema.get("allOf", ()):
        more, needed = fields(part, schemas)
        found.update(more)
        required |= needed
    for several in schema.get("oneOf", ()):
        if several.get("type") != "null":  # A part that may be missing altogether.
            found.update(fields(several, schemas)[0])
    for name, each in schema.get("properties", {}).items():
        found[name] = expression(each)
    return found, required | set(schema.get("required", ()))


def typed_dict(name: str, types: dict[str, str], base: str, total: bool) -> str:
    if any(keyword.iskeyword(field) or not field.isidentifier() for field in types):
        # Field names that no class could have; forward references must be quoted here.
        body = ", ".join(f"{json.dumps(field)}: {json.dumps(kind)}" for field, kind in types.items())
        return f"{name} = TypedDict({name!r}, {{{body}}}, total={total})\n"
    head = f"class {name}({base}{'' if total else ', total=False'}):\n"
    return head + "".join(f"    {field}: {kind}\n" for field, kind in types.items()) + ("" if types else "    pass\n")


def definition(name: str, schema: Schema, schemas: dict[str, Schema]) -> str:
    is_object = "properties" in schema or any(
        "properties" in part or "$ref" in part or "allOf" in part or "oneOf" in part for part in schema.get("allOf", ())
    )
    if not is_object:
        return f"{name} = {expression(schema)}\n"
    types, required = fields(schema, schemas)
    always = {field: kind for field, kind in types.items() if field in required}
    sometimes = {field: kind for field, kind in types.items() if field not in required}
    if not sometimes:
        return typed_dict(name, always, "TypedDict", True)
    if not always:
        return typed_dict(name, sometimes, "TypedDict", False)
    base = f"_{name}Always"
    text = typed_dict(base, always, "TypedDict", True) + "\n\n"
    odd = any(keyword.iskeyword(field) for field in sometimes)
    if odd:
        between = f"_{name}Sometimes"
        return text + typed_dict(between, sometimes, "", False) + f"\n\nclass {name}({base}, {between}):\n    pass\n"
    return text + typed_dict(name, sometimes, base, False)


def generate(document: Schema) -> str:
    schemas: dict[str, Schema] = document["components"]["schemas"]
    aliases, classes = [], []
    for name, schema in sorted(schemas.items()):
        text = definition(name, schema, schemas)
        (aliases if text.startswith(f"{name} = ") and "TypedDict(" not in text else classes).append((name, text))
    # Aliases are evaluated: those that name others come after them, and what is a class is named by a string.
    known = {name for name, _ in aliases}
    done: list[str] = []
    text = ""
    while len(done) < len(aliases):
        for name, alias in aliases:
            right = alias.split(" = ", 1)[1].strip()
            words = set(right.replace("[", " ").replace("]", " ").replace(",", " ").split())
            if name in done or (words & known) - set(done):
                continue
            quoted = right
            for word in words & {each for each, _ in classes}:
                quoted = quoted.replace(word, f'"{word}"') if word != right else f'"{right}"'
            text += f"{name} = {quoted}\n"
            done.append(name)
    return HEAD + text + "\n\n" + "\n\n".join(text for _, text in classes)


def main() -> int:
    text = generate(json.loads(DOCUMENT.read_text(encoding="utf-8")))
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(f"{TARGET.name} is not current: run {Path(__file__).name}", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
