"""Holds what goes over the wire against the API's own document, both ways, for every call a test makes.

An answer must have a status that the document names for its operation, the media type and the schema that go with it. A body that
was taken (2xx) must fit the schema of bodies. Fields that an answer holds and its schema does not name are collected: whether there
are any is asked by one story (test_openapi), so that a new field does not fail every other one.
"""
import json
import re

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
ALIASES = re.compile(r"^/v1/(bots|assistants)(?=/|$)")


def is_type(value, name):
    if name in ("integer", "number"):
        return isinstance(value, (int, float) if name == "number" else int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def faults(schema, value, root, at="", unknown=None):
    """What is wrong with the value, as sentences. The part of JSON Schema that the document uses, no more."""
    while "$ref" in schema:
        schema = root["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_type(value, kind) for kind in kinds):
        return [f"{at or '/'} is {json.dumps(value)[:60]}, not {' or '.join(kinds)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at} is {value!r}, not one of {schema['enum']}")
    if isinstance(value, dict):
        found += object_faults(schema, value, root, at, unknown)
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            found.append(f"{at} has {len(value)} items")
        for number, item in enumerate(value):
            found += faults(schema.get("items", {}), item, root, f"{at}/{number}", unknown)
    elif isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        found.append(f"{at} is {len(value)} characters long")
    elif is_type(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at} is {value}")
    return found


def object_faults(schema, value, root, at, unknown):
    known = schema.get("properties", {})
    found = [f"{at}/{name} is missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if name in known:
            found += faults(known[name], item, root, f"{at}/{name}", unknown)
        elif schema.get("additionalProperties", True) is False:
            if unknown is None:
                found.append(f"{at}/{name} is not in the schema")
            else:
                unknown.add(re.sub(r"/\d+", "", f"{at}/{name}"))
    return found


class Document:
    """One OpenAPI document and what was seen of it."""

    def __init__(self, root):
        self.root = root
        self.patterns = [(path.count("{"), re.compile("^" + re.sub(r"\{\w+\}", "[^/]+", path) + "$"), path) for path in root["paths"]]
        self.patterns.sort(key=lambda row: row[0])
        self.checked, self.seen, self.undeclared = 0, set(), set()

    def operation(self, method, path):
        """(path template, operation), or Nones."""
        path = ALIASES.sub("/v1/agents", path.partition("?")[0])
        path = path if path == "/" else path.rstrip("/")
        for _, pattern, template in self.patterns:
            if pattern.match(path):
                return template, self.root["paths"][template].get(method.lower())
        return None, None

    def response(self, operation, status):
        responses = operation["responses"]
        found = responses.get(str(status)) or responses.get(f"{status // 100}XX") or (responses.get("default") if status >= 400 else None)
        if found and "$ref" in found:
            found = self.root["components"]["responses"][found["$ref"].rsplit("/", 1)[1]]
        return found

    def check(self, method, path, body, answer):
        template, operation = self.operation(method, path)
        if operation is None or method not in METHODS:
            return
        self.checked += 1
        self.seen.add((method, template))
        label = f"{method} {template} {answer.status}"
        response = self.response(operation, answer.status)
        assert response is not None, f"{label}: the document does not know this status: {answer!r}"
        assert "x-request-id" in answer.headers, f"{label}: no X-Request-Id"
        self.check_answer(label, response, answer)
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema and isinstance(body, (dict, list)) and answer.status < 300:
            wrong = faults(schema, body, self.root)
            assert not wrong, f"{label}: took a body that its schema refuses: {wrong}"

    def check_answer(self, label, response, answer):
        content = response.get("content")
        if not content:
            assert not answer.body or answer.status == 200, f"{label}: a body where the document has none"
            return
        media = answer.headers.get("content-type", "").partition(";")[0]
        assert media in content or "*/*" in content, f"{label}: {media!r}, the document has {sorted(content)}"
        if media == "application/json" and media in content:
            unknown = set()
            wrong = faults(content[media]["schema"], answer.json, self.root, unknown=unknown)
            assert not wrong, f"{label}: {wrong}: {answer!r}"
            self.undeclared |= {f"{label}: {name}" for name in unknown}


_documents = {}


def document_of(fetch):
    """The document of the binary under test, fetched once."""
    if "it" not in _documents:
        _documents["it"] = Document(fetch().json)
    return _documents["it"]


def summary():
    if "it" not in _documents:
        return "traffic: nothing was checked against the API's document"
    document = _documents["it"]
    every = sum(method.upper() in METHODS for item in document.root["paths"].values() for method in item)
    return f"traffic: {document.checked} exchanges fit the API's document, {len(document.seen)} of {every} operations seen"
