"""Patches for HTTP APIs: routes, an address without a prefix, and access of pages."""

import json
from contextvars import ContextVar
from urllib.parse import parse_qs, urlsplit

from mends.ministack import apigateway, cloudformation, lambda_svc, ministack_app, on_deploy, sigv4

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def http_api_body():
    """CloudFormation imports the OpenAPI Body of an AWS::ApiGatewayV2::Api, which SAM generates from an HttpApi: routes,
    integrations, authorizers, CORS. ministack ignores it and deploys an empty API."""

    def made(answer):
        return json.loads(answer[2])

    def authorizer(api_id, name, scheme):
        a = scheme.get("x-amazon-apigateway-authorizer") or {}
        source = a.get("identitySource") or []
        d = {
            "name": name,
            "identitySource": source if isinstance(source, list) else [s.strip() for s in source.split(",")],
        }
        if a.get("type") == "jwt":
            d.update(authorizerType="JWT", jwtConfiguration=a["jwtConfiguration"])
        elif a.get("type") == "request":
            d.update(
                authorizerType="REQUEST",
                authorizerUri=a["authorizerUri"],
                authorizerPayloadFormatVersion=a.get("authorizerPayloadFormatVersion", "2.0"),
                enableSimpleResponses=a.get("enableSimpleResponses", False),
                authorizerResultTtlInSeconds=a.get("authorizerResultTtlInSeconds", 0),
            )
        else:
            return None
        kind = "JWT" if a["type"] == "jwt" else "CUSTOM"
        return kind, made(apigateway._create_authorizer(api_id, d))["authorizerId"]

    def import_body(api_id, props):
        api, body = apigateway._apis[api_id], props.get("Body")
        if isinstance(body, dict):
            for store in (apigateway._routes, apigateway._integrations, apigateway._authorizers):
                store[api_id] = {}
            if body.get("x-amazon-apigateway-cors"):
                api["corsConfiguration"] = body["x-amazon-apigateway-cors"]
            schemes = body.get("components", {}).get("securitySchemes", {})
            authorizers = {n: a for n, s in schemes.items() if (a := authorizer(api_id, n, s))}
            integrations = {}
            for path, operations in body.get("paths", {}).items():
                for method, operation in (operations or {}).items():
                    i = isinstance(operation, dict) and operation.get("x-amazon-apigateway-integration")
                    if not i:
                        continue
                    if i["uri"] not in integrations:
                        integrations[i["uri"]] = made(
                            apigateway._create_integration(
                                api_id,
                                {
                                    "integrationType": "AWS_PROXY",
                                    "integrationUri": i["uri"],
                                    "integrationMethod": "POST",
                                    "payloadFormatVersion": i.get("payloadFormatVersion", "2.0"),
                                },
                            )
                        )["integrationId"]
                    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                    route = {
                        "routeKey": "$default" if path.strip("/") == "$default" else f"{verb} {path}",
                        "target": "integrations/" + integrations[i["uri"]],
                    }
                    for requirement in operation.get("security", []):
                        for name, scopes in requirement.items():
                            if name in authorizers:
                                kind, authorizer_id = authorizers[name]
                                route.update(
                                    authorizationType=kind, authorizerId=authorizer_id, authorizationScopes=scopes
                                )
                    apigateway._create_route(api_id, route)
        cors = api.get("corsConfiguration")
        if cors:
            api["corsConfiguration"] = {k[0].lower() + k[1:]: v for k, v in cors.items()}

    def with_body_tags(props):
        tags = {
            t["name"]: t.get("x-amazon-apigateway-tag-value", "") for t in (props.get("Body") or {}).get("tags", [])
        }
        return {**props, "Tags": {**tags, **(props.get("Tags") or {})}} if tags else props

    on_deploy("AWS::ApiGatewayV2::Api", import_body, with_body_tags)


def front(listeners):
    """Adds `listeners` ("PORT=API[,PORT=API...]", where API is a logical id, a name or an id) that serve an API without
    ministack's prefix /_aws/execute-api/<id>, as its own host does on AWS. A port serves at most one HTTP API and one
    WebSocket API (with /<stage>/@connections/...); every port serves Function URLs at
    /_fn/<function name or logical id>/... A signature is checked with the path that its caller signed."""
    import hypercorn.asyncio

    apis = [(int(port), api) for port, api in (entry.strip().split("=", 1) for entry in listeners.split(","))]
    ports, serve = {port for port, _ in apis}, hypercorn.asyncio.serve

    def physical(name, resource_type):
        for _, stack in list(cloudformation._stacks.all_items()):
            resource = stack.get("_resources", {}).get(name, {})
            if resource.get("ResourceType") == resource_type:
                return resource.get("PhysicalResourceId")
        return name

    def api_prefix(port, protocol):
        for api_port, name in apis:
            wanted = physical(name, "AWS::ApiGatewayV2::Api")
            for (_, _, api_id), api in list(apigateway._apis.all_items()):
                if api_port == port and wanted in (api_id, api.get("name")) and api.get("protocolType") == protocol:
                    return f"/_aws/execute-api/{api_id}"

    def function_prefix(name):
        wanted = physical(name, "AWS::Lambda::Function")
        for (_, _, key), url in list(lambda_svc._function_urls.all_items()):
            if key == wanted:
                return f"/_aws/lambda-url/{lambda_svc._function_url_id(url['FunctionUrl'])}"

    def rewrite(scope):
        """The scope with ministack's own path; None if nothing is deployed for it."""
        cut, path = "", scope["path"]
        if path.startswith("/_fn/"):
            cut = "/_fn/" + path.split("/")[2]
            prefix = function_prefix(path.split("/")[2])
        else:
            websocket = scope["type"] == "websocket" or "/@connections/" in path
            prefix = api_prefix(scope["server"][1], "WEBSOCKET" if websocket else "HTTP")
        return prefix and {
            **scope,
            "path": prefix + path[len(cut) :],
            "raw_path": prefix.encode() + scope["raw_path"][len(cut) :],
        }

    async def serve_front(scope, receive, send):
        if scope["type"] == "lifespan" or scope["server"][1] not in ports:
            return await app(scope, receive, send)
        found = rewrite(scope)
        if found:
            signed.set((found["raw_path"].decode(), scope["raw_path"].decode()))
            return await app(found, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
        await send(
            {
                "type": "http.response.body",
                "body": f"FRONT={listeners}: nothing is deployed for {scope['path']}\n".encode(),
            }
        )

    def documents(signature, method, raw_path, *args, **kw):
        own, given = signed.get()
        return sign(signature, method, given if raw_path == own else raw_path, *args, **kw)

    def serve_all(asgi, config, **kw):
        config.bind = [*config.bind, *(f"127.0.0.1:{port}" for port in sorted(ports))]
        return serve(asgi, config, **kw)

    app, ministack_app.app = ministack_app.app, serve_front
    sign, sigv4.header_signing_documents = sigv4.header_signing_documents, documents
    # The path of the present request with ministack's prefix, and as it came.
    signed = ContextVar("signed", default=("", ""))
    hypercorn.asyncio.serve = serve_all


def own_pages_only(listeners):
    """Restricts access from web pages. AWS accepts only signed requests, but ministack's keys are publicly known, it
    sends every page Access-Control-Allow-Origin: *, and it accepts any Host: any page could read the secrets of this
    stack. With this patch it accepts only local addresses as Host, and serves programs, pages of this stack, and pages
    of origins in an API's CORS configuration. `listeners` are those of `front`; the functions of an API check its
    requests themselves."""
    ports = {int(entry.split("=", 1)[0]) for entry in listeners.split(",") if entry.strip()}

    def host_name(text):
        try:
            return urlsplit("//" + text).hostname or ""
        except ValueError:
            return ""

    def ours(port):
        own = {f"http://{host}:{one}" for host in ("127.0.0.1", "localhost", "[::1]") for one in ports | {port}}
        apis = [api.get("corsConfiguration") or {} for _, api in list(apigateway._apis.all_items())]
        return own | {origin for cors in apis for origin in cors.get("allowOrigins", []) if "*" not in origin}

    def refusal(scope):
        """Why a request is refused; None if it is accepted."""
        port, path = scope["server"][1], scope["path"]
        if port in ports and not path.startswith("/_fn/"):
            return None
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = host_name(headers.get("host", ""))
        if host not in LOOPBACK and not host.endswith(".localhost"):
            return "the Host must be an address of this machine"
        if port in ports:
            return None
        foreign = "pages of other origins are refused unless CorsOrigins names them"
        if "origin" in headers:
            return None if headers["origin"] in ours(port) else foreign
        if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
            return None
        # Pages may embed videos and images, and browsers may follow links: the page cannot read that data, and nothing
        # changes.
        shown = headers.get("sec-fetch-dest") in ("audio", "document", "image", "video")
        calls = "Action" in parse_qs(scope.get("query_string", b"").decode("latin-1"))
        return None if shown and not calls and scope.get("method") in ("GET", "HEAD") else foreign

    async def serve_own(scope, receive, send):
        reason = None if scope["type"] == "lifespan" else refusal(scope)
        if reason is None:
            return await app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": f"The emulator refused the request: {reason}.\n".encode()})

    app, ministack_app.app = ministack_app.app, serve_own
