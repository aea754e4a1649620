"""`python -m unified_train.vendor_docs`: what each installed vendor's words mean here, and what only it takes.

Everything comes from the data that the providers work with, so that the page can't say otherwise than they do.
"""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from unified_train import plugins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from unified_train.provider import AnyProvider
    from unified_train.refusals import ErrorTable
    from unified_train.status import StatusTable

_HEAD = """# What the vendors' words mean

Made by `python -m unified_train.vendor_docs` from the tables that the providers work with. Each row names its source: a
page of the vendor's, an observation, or a section of the notes on the vendor ("dossier") that were made from these.

A word that is in no status table is `unknown`: it is shown as it is, and neither ends nor reopens a job. A refusal that
is in no error table is judged by its HTTP status.
"""
_ATTRIBUTE = re.compile(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", re.DOTALL | re.MULTILINE)
_COMMA, _OPEN = ", ", "any"


def document(providers: Sequence[type[AnyProvider]]) -> str:
    """The whole page as Markdown."""
    return _HEAD + "".join(f"\n{_vendor(provider)}" for provider in providers)


def _vendor(provider: type[AnyProvider]) -> str:
    parts = [
        f"## {provider.title}",
        f"`{provider.slug}`, polled no more often than every {provider.poll_floor:g} s.",
        *(_status(table) for table in provider.status_tables),
        *(_errors(table) for table in provider.error_tables),
        _options("Options of a training", provider, provider.TrainingOptions),
        _options("Options of a generation", provider, provider.GenerationOptions),
        _rates(provider),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: object) -> str:
    return f"`{text}`"


def _status(table: StatusTable) -> str:
    rows = [[_code(word), entry.status.value, entry.why] for word, entry in table]
    return f"### Status: `{table.name}`\n\n{_table(['word', 'means', 'why'], rows)}"


def _errors(table: ErrorTable) -> str:
    rows = [[_code(word), _code(row.error.__name__), "yes" if row.passes else "–", row.source] for word, row in table]
    return f"### Errors: {table.name}\n\n{_table(['word', 'raises', 'passes', 'source'], rows)}"


def _rates(provider: type[AnyProvider]) -> str:
    if not provider.rates:
        return ""
    rows = [[_code(operation), str(rate.per_minute)] for operation, rate in provider.rates.items()]
    return f"### Rates\n\n{_table(['operation', 'per minute'], rows)}"


# -- options -----------------------------------------------------------------------------------------------------------


def _options(title: str, provider: type[AnyProvider], options: type[BaseModel]) -> str:
    schema = options.model_json_schema()
    if not schema.get("properties"):
        return f"### {title}\n\nNone of its own."
    used = [options, *_nested(options, set())]
    tables = [_fields(kind, schema) for kind in used]
    intro = f'`extra={{"{provider.slug}": {{…}}}}`'
    return f"### {title}\n\n{intro}\n\n" + "\n\n".join(tables)


def _nested(options: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """The classes of which fields are made, each once, in the order of the fields."""
    for field in options.model_fields.values():
        for kind in _classes(field.annotation):
            if kind not in seen:
                seen.add(kind)
                yield kind
                yield from _nested(kind, seen)


def _classes(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _classes(inner)


def _fields(kind: type[BaseModel], schema: Mapping[str, Any]) -> str:
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    own = definitions.get(kind.__name__, schema)
    told = _told(kind)
    rows = [
        [_code(name), _shape(field, definitions), _default(kind.model_fields[name]), told.get(name, "")]
        for name, field in own["properties"].items()
    ]
    title = f"`{kind.__name__}`:\n\n" if kind.__name__ in definitions else ""
    return title + _table(["option", "takes", "unless told", "what it is"], rows)


def _told(kind: type[BaseModel]) -> dict[str, str]:
    """What the class's docstring says of its attributes."""
    _, _, attributes = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    return {name: text.strip() for name, text in _ATTRIBUTE.findall(attributes)}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be told"
    value = to_jsonable_python(field.get_default(call_default_factory=True))
    return "" if value in (None, []) else _code(value)


def _shape(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """In words, what JSON Schema says of a field."""
    several = field.get("anyOf") or field.get("oneOf")
    if several:
        shapes = [_shape(one, definitions) for one in several if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(shapes))
    if "$ref" in field:
        return _code(field["$ref"].rpartition("/")[2])
    if "enum" in field:
        return _COMMA.join(_code(word) for word in field["enum"])
    if "const" in field:
        return _code(field["const"])
    if field.get("type") == "array":
        return _array(field, definitions)
    return _COMMA.join(filter(None, [_kind(field), _span(field), _length(field, "characters"), _pattern(field)]))


def _array(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "prefixItems" in field:
        return "list of " + _COMMA.join(_shape(item, definitions) for item in field["prefixItems"])
    inner = _shape(field.get("items", {}), definitions)
    inner = f"({inner})" if _COMMA in inner else inner
    return _COMMA.join(filter(None, [f"list of {inner}", _length(field, "of them")]))


def _kind(field: Mapping[str, Any]) -> str:
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    if field.get("format") == "password":
        return "secret text"
    return names.get(field.get("type", ""), "object" if field.get("type") == "object" else _OPEN)


def _span(field: Mapping[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    above, below = field.get("exclusiveMinimum"), field.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{low}–{high}"
    bounds = [("≥", low), ("≤", high), (">", above), ("<", below)]
    return _COMMA.join(f"{sign} {value}" for sign, value in bounds if value is not None)


def _length(field: Mapping[str, Any], of: str) -> str:
    least = field.get("minLength", field.get("minItems"))
    most = field.get("maxLength", field.get("maxItems"))
    if least is None and most is None:
        return ""
    span = (
        f"{least}–{most}" if least is not None and most is not None else f"≥ {least}" if most is None else f"≤ {most}"
    )
    return f"{span} {of}"


def _pattern(field: Mapping[str, Any]) -> str:
    return f"matching `{field['pattern']}`" if "pattern" in field else ""


def main() -> None:
    """Print the page; a provider that can't be loaded is an error, since the page would lack it."""
    found = plugins.load_all()
    if found.broken:
        raise found.broken[0]
    sys.stdout.write(document(found.providers))


if __name__ == "__main__":
    main()
