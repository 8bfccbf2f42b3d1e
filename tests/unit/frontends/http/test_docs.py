from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from brood.frontends.http.accept import FORMS
from brood.frontends.http.app import routes
from brood.frontends.http.oip.models import unsupported
from helpers.http import Service


def refs(node: Any) -> Iterator[str]:
    """All references in a document."""
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


async def document(service: Service) -> Any:
    return (await service.client.get("/openapi.json")).json()


async def test_every_route_is_documented(service: Service) -> None:
    paths = (await document(service))["paths"]
    api = [
        route
        for route in routes(service.plane)
        if route.path.startswith(("/v1", "/v2", "/healthz", "/readyz"))
        and vars(route.endpoint)["endpoint"] != unsupported
    ]
    assert {route.path_format for route in api} == set(paths)
    for route in api:
        assert {method.lower() for method in (route.methods or set()) - {"HEAD"}} == set(paths[route.path_format]) - {
            "parameters"
        }


async def test_every_reference_leads_somewhere(service: Service) -> None:
    body = await document(service)
    found = set(refs(body))
    assert "#/components/schemas/HttpGenerateRequest" in found
    assert found <= {f"#/components/schemas/{name}" for name in body["components"]["schemas"]}


async def test_the_document_speaks_the_dialect_it_claims(service: Service) -> None:
    body = await document(service)
    assert body["openapi"] == "3.0.3"
    text = str(body["components"])
    for word in ("'const'", "'prefixItems'", "'type': 'null'", "'examples'", "'$defs'"):
        assert word not in text
    seed = body["components"]["schemas"]["HttpGenerateRequest"]["properties"]["seed"]
    assert (seed["type"], seed["nullable"], seed["minimum"], seed["maximum"]) == ("integer", True, 0, 2**63)
    assert seed["exclusiveMaximum"] is True


async def test_the_classes_and_guarantees_of_a_request_are_listed(service: Service) -> None:
    properties = (await document(service))["components"]["schemas"]["HttpGenerateRequest"]["properties"]
    assert (properties["priority"]["enum"], properties["priority"]["default"]) == (
        ["interactive", "bulk"],
        "interactive",
    )
    assert (properties["determinism"]["enum"], properties["determinism"]["default"]) == (["any", "exact"], "any")
    for name in ("progress_every", "preview_every"):
        assert (properties[name]["type"], properties[name]["nullable"], properties[name]["minimum"]) == (
            "integer",
            True,
            1,
        )


async def test_every_operation_has_responses_and_descriptions(service: Service) -> None:
    for path in (await document(service))["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                assert operation["summary"]
                assert {"200", "204"} & set(operation["responses"])
                assert all(response["description"] for response in operation["responses"].values())


async def test_what_an_operation_takes_is_a_component(service: Service) -> None:
    schemas = (await document(service))["components"]["schemas"]
    assert {"tiny-1-generate", "tiny-2-vary"} < set(schemas)
    assert not [name for name in schemas if name.startswith(("slow", "broken"))]
    known = schemas["tiny-2-complete"]["properties"]["inputs"]["properties"]["known"]
    assert known["properties"]["dtype"] == {"type": "string", "enum": ["uint8"]}


async def test_every_form_of_an_answer_is_listed(service: Service) -> None:
    post = (await document(service))["paths"]["/v1/generations"]["post"]
    assert set(post["responses"]["200"]["content"]) == set(FORMS)
    assert set(post["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert {parameter["name"] for parameter in post["parameters"]} == {"X-Request-ID", "Idempotency-Key", "traceparent"}


async def test_the_words_of_standard_protocols_are_listed(service: Service) -> None:
    body = await document(service)
    edits = body["paths"]["/v1/images/edits"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert edits["allOf"][0] == {"$ref": "#/components/schemas/PromptedWords"}
    assert set(edits["allOf"][1]["properties"]) == {"image", "mask"}
    assert body["components"]["schemas"]["PromptedWords"]["required"] == ["prompt"]
    infer = body["paths"]["/v2/models/{name}/versions/{version}/infer"]["post"]
    assert [parameter["name"] for parameter in infer["parameters"]] == ["name", "version"]
    assert set(infer["responses"]["200"]["content"]) == {"application/json", "application/octet-stream"}
    assert body["components"]["schemas"]["OipErrorView"]["properties"]["error"]["type"] == "string"


async def test_examples_work_as_they_are(service: Service) -> None:
    body = (await document(service))["paths"]["/v1/generations"]["post"]["requestBody"]["content"]["application/json"]
    assert list(body["examples"]) == ["tiny 1 generate", "tiny 2 generate"]
    for example in body["examples"].values():
        assert (await service.generate(example["value"])).status_code == 200


async def test_parameters_of_the_models_are_described(service: Service) -> None:
    text = (await document(service))["paths"]["/v1/generations"]["post"]["description"]
    assert "**tiny** 2 `complete`" in text
    assert "`steps` (a parameter of type int)" in text
    assert "broken" not in text


async def test_the_viewer_needs_no_other_server(service: Service) -> None:
    page = await service.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        response = await service.client.get(link)
        assert response.status_code == 200, link
        assert response.content
    assert "/openapi.json" in (await service.client.get("/docs/start.js")).text


async def test_only_the_viewers_files_are_given(service: Service) -> None:
    for name in ("index.html", "..%2f__init__.py", "swagger-ui.js.map"):
        assert (await service.client.get(f"/docs/{name}")).status_code == 404


async def test_the_root_leads_to_the_documents(service: Service) -> None:
    response = await service.client.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/docs")
