"""``http.md``: the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from brood.frontends.http.openapi import document
from reference_pages.text import page, plain, table

Json = dict[str, Any]


def http_page() -> str:
    """Our OpenAPI document, with no models."""
    content = document([])
    paths = [
        address(method, path, words, list(item.get("parameters", ())))
        for path, item in content["paths"].items()
        for method, words in item.items()
        if method != "parameters"
    ]
    schemas = content["components"]["schemas"]
    text = "A running server has the same, with the models that are there, at `/docs` and `/openapi.json`."
    return page("HTTP", text, *paths, "## Bodies", *(schema(name, schemas[name]) for name in sorted(schemas)))


def address(method: str, path: str, words: Json, shared: list[Json]) -> str:
    """One verb of one address."""
    parameters = [*shared, *words.get("parameters", ())]
    asked = words.get("requestBody", {}).get("content", {})
    given = {status: answer for status, answer in words["responses"].items() if not refused(answer)}
    refusals = sorted(words["responses"].keys() - given.keys())
    parts = [
        f"## {method.upper()} {path}",
        words.get("summary", ""),
        words.get("description", "").partition("Models that are ready:")[0].strip(),
        table(
            ("parameter", "in", "type", ""),
            (
                (f"`{one['name']}`", one["in"], kind(one.get("schema", {})), one.get("description", ""))
                for one in parameters
            ),
        ),
        table(("body", ""), ((f"`{form}`", kind(body.get("schema", {}))) for form, body in asked.items())),
        table(("answer", "", "body"), (row for status, answer in given.items() for row in answers(status, answer))),
        f"Refused with {', '.join(refusals)}: see [errors](errors.md)." if refusals else "",
    ]
    return "\n\n".join(part for part in parts if part)


def refused(answer: Json) -> bool:
    """Whether an answer is one of the error table's."""
    return any("ErrorView" in str(body.get("schema", {})) for body in answer.get("content", {}).values())


def answers(status: str, answer: Json) -> Iterator[tuple[str, str, str]]:
    forms_of: dict[str, list[str]] = {}
    for form, body in answer.get("content", {}).items():
        forms_of.setdefault(kind(body["schema"]) if body else "events", []).append(f"`{form}`")
    for number, (name, forms) in enumerate((forms_of or {"": []}).items()):
        yield status, "" if number else answer["description"], " ".join([name, ", ".join(forms)])


def schema(name: str, words: Json) -> str:
    """One kind of body, or part of one."""
    required = words.get("required", ())
    rows = [
        (f"`{key}`", kind(part), "yes" if key in required else default(part), part.get("description", ""))
        for key, part in words.get("properties", {}).items()
    ]
    head = ("field", "type", "required, or default", "")
    return "\n\n".join(part for part in (f"### {name}", plain(words.get("description", "")), table(head, rows)) if part)


def default(part: Json) -> str:
    value = part.get("default")
    return "" if value is None else f"`{value}`"


def kind(part: Json) -> str:
    """A type in words."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    for key, between in (("anyOf", " or "), ("allOf", " and "), ("oneOf", " or ")):
        if key in part:
            return between.join(dict.fromkeys(kind(one) for one in part[key]))
    if part.get("type") == "array":
        return f"array of {kind(part['items'])}" if part.get("items") else "array"
    others = part.get("additionalProperties")
    of_others = kind(others) if isinstance(others, dict) else ""
    if "properties" in part:
        named = [f"`{name}` ({kind(one)})" for name, one in part["properties"].items()]
        return "parts " + ", ".join(named + [f"others ({of_others})"] * bool(of_others))
    if of_others:
        return f"object of {of_others}"
    word = "bytes" if part.get("format") == "binary" else str(part.get("type", "anything"))
    return " ".join([word, *bounds(part)])


def bounds(part: Json) -> Iterator[str]:
    if "minimum" in part:
        yield f"{'>' if part.get('exclusiveMinimum') else '≥'} {part['minimum']}"
    if "maximum" in part:
        yield f"{'<' if part.get('exclusiveMaximum') else '≤'} {part['maximum']}"
