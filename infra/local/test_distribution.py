"""infra/edge.yaml routes every path correctly, caches only public responses, and has sufficient timeouts."""

import json
import pathlib
import re
import shutil
import subprocess
import unittest

from commands.template import Template
from distribution import (
    ALL_VIEWER_EXCEPT_HOST,
    CACHING_DISABLED,
    VIEWER_HEADER,
    Distribution,
    matches,
    streaming_functions,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PUBLIC_KEYS = "/.well-known/webhook-keys.json"
METHODS = {"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}
# Values of path parameters: ids of all kinds, and values that could be confused with path segments.
IDS = ["job_1_a", "0c2c7f98-a245-42db-ae80-e4aadfe645e4", "corporate.mp3", "stream", "status", "a%2Fstream", "~x"]
# An HTTP API responds within 30 s, or with a timeout error.
API_SECONDS = 30


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def constant(path, pattern):
    """The first group of a pattern in a source file."""
    found = re.search(pattern, read(path))
    assert found, f"{path} does not match {pattern}"
    return found.group(1)


TEMPLATE = Template.load(ROOT / "template.yaml")
RESOURCES = TEMPLATE.resources()
OPENAPI = json.loads(read("functions/pages/openapi/openapi.json"))
EDGE = Distribution.load({"EdgeSecret": "s" * 32})


def routes():
    """(method, path, function) of every route of the API that template.yaml names."""
    for logical, resource in RESOURCES.items():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] == "HttpApi" and "Path" in event["Properties"]:
                yield event["Properties"]["Method"], event["Properties"]["Path"], logical


def stream_routes():
    """The routes of the API that a streaming function also serves."""
    programs = {RESOURCES[name]["Properties"]["CodeUri"] for name in streaming_functions(RESOURCES)}
    return {
        path
        for method, path, function in routes()
        if method == "GET" and RESOURCES[function]["Properties"]["CodeUri"] in programs
    }


def described_streams():
    """The routes whose responses are server-sent events in the API's description."""
    found = set()
    for path, operations in OPENAPI["paths"].items():
        for operation in operations.values():
            responses = operation.get("responses", {}).values() if isinstance(operation, dict) else []
            if any("text/event-stream" in response.get("content", {}) for response in responses):
                found.add(path)
    return found


def files():
    """Paths that the function `pages` serves besides the described routes."""
    assets = ROOT / "functions/pages/assets"
    for path in sorted(assets.rglob("*")):
        if path.is_file() and path.suffix != ".html":
            yield f"/assets/{path.relative_to(assets)}"
    yield from ["/favicon.ico", "/robots.txt", "/no/such/page", "/api/no/such/route", "/stream", "/api/job//stream/x"]


def paths():
    """(path of the route, requested path) of everything that is served."""
    named = {path for _, path, _ in routes()} | set(OPENAPI["paths"]) | set(files())
    for name in sorted(named):
        for value in IDS if "{" in name else [""]:
            path = re.sub(r"\{[^}]+\}", value, name)
            # A path that is another route's own goes there.
            if path == name or path not in named:
                yield name, path


class PathPatterns(unittest.TestCase):
    def test_patterns_match_as_in_cloudfront(self):
        for pattern, path, expected in [
            ("/api/job/*/stream", "/api/job/job_1_a/stream", True),
            ("/api/job/*/stream", "/api/job/a/b/stream", True),
            ("/api/job/*/stream", "/api/job//stream", True),
            ("/api/job/*/stream", "/api/job/stream", False),
            ("/api/job/*/stream", "/api/job/job_1_a/stream/", False),
            ("/api/job/*/stream", "/api/job/job_1_a/Stream", False),
            ("/api/job/*/stream", "/w/token/api/job/job_1_a/stream", False),
            ("a?c.jpg", "/abc.jpg", True),
            ("a?c.jpg", "/ac.jpg", False),
            ("/*.jp*", "/x/y.jpeg", True),
            ("/.well-known/keys", "/xwell-known/keys", False),
            ("*", "/", True),
        ]:
            with self.subTest(pattern=pattern, path=path):
                self.assertEqual(matches(pattern, path), expected)


class Routes(unittest.TestCase):
    def test_each_path_has_the_right_origin(self):
        streams = stream_routes()
        count = 0
        for name, path in paths():
            with self.subTest(path):
                behavior = EDGE.behavior(path)
                self.assertEqual(behavior.origin, "Stream" if name in streams else "Api")
                policy = "PublicKeys" if name == PUBLIC_KEYS else CACHING_DISABLED
                self.assertEqual(behavior.cache_policy, policy)
            count += 1
        self.assertGreater(count, 200)

    def test_all_streams_are_covered(self):
        streams = stream_routes()
        self.assertGreaterEqual(len(streams), 2)
        # A described stream that is missing here is served by a function without a streaming Function URL.
        self.assertEqual(streams, described_streams())
        # A second streaming function would need a separate origin.
        self.assertEqual(len(streaming_functions(RESOURCES)), 1)

    def test_every_rule_is_used(self):
        served = [path for _, path in paths()]
        for behavior in EDGE.behaviors:
            with self.subTest(behavior.pattern):
                self.assertTrue(any(EDGE.behavior(path) is behavior for path in served))

    def test_every_method_and_every_header_except_host_is_forwarded_over_tls(self):
        for behavior in EDGE.behaviors:
            with self.subTest(behavior.pattern):
                self.assertEqual(behavior.methods, METHODS)
                self.assertEqual(behavior.request_policy, ALL_VIEWER_EXCEPT_HOST)
                self.assertEqual(behavior.settings["ViewerProtocolPolicy"], "redirect-to-https")
        for origin in EDGE.config["Origins"]:
            custom = origin["CustomOriginConfig"]
            self.assertEqual((custom["OriginProtocolPolicy"], custom["OriginSSLProtocols"]), ("https-only", ["TLSv1.2"]))

    def test_the_stack_has_outputs_for_the_host_names(self):
        for origin in EDGE.config["Origins"]:
            name = origin["DomainName"]["Ref"]
            self.assertIn(name, TEMPLATE.data["Outputs"])
        streams = TEMPLATE.data["Outputs"]["StreamDomain"]["Value"]
        self.assertIn(f'"{streaming_functions(RESOURCES)[0]}Url"', json.dumps(streams))


class Caching(unittest.TestCase):
    def test_only_public_responses_are_cached_for_a_minute_with_the_right_key(self):
        policy = EDGE.resources["PublicKeys"]["Properties"]["CachePolicyConfig"]
        self.assertEqual([policy[name] for name in ("MinTTL", "DefaultTTL", "MaxTTL")], [0, 0, 60])
        key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        route = OPENAPI["paths"][PUBLIC_KEYS]["get"]
        self.assertEqual(route["security"], [])
        parameters = [one["name"] for one in route["parameters"] if one["in"] == "query"]
        self.assertEqual(key["QueryStringsConfig"], {"QueryStringBehavior": "whitelist", "QueryStrings": parameters})
        self.assertEqual(key["HeadersConfig"], {"HeaderBehavior": "whitelist", "Headers": ["Origin"]})
        self.assertEqual(key["CookiesConfig"], {"CookieBehavior": "none"})

    def test_errors_are_not_cached(self):
        cached = {one["ErrorCode"]: one["ErrorCachingMinTTL"] for one in EDGE.config["CustomErrorResponses"]}
        self.assertEqual(cached, dict.fromkeys([400, 403, 404, 405, 414, 500, 501, 502, 503, 504], 0))
        for one in EDGE.config["CustomErrorResponses"]:
            self.assertNotIn("ResponsePagePath", one, "clients receive the API's own errors")


class Timeouts(unittest.TestCase):
    def test_a_stream_sends_two_heartbeats_within_the_timeout(self):
        heartbeat = int(constant("functions/job-stream/src/stream.rs", r"HEARTBEAT: Duration = Duration::from_secs\((\d+)\)"))
        self.assertGreater(EDGE.origins["Stream"].read_seconds, 2 * heartbeat)
        self.assertLessEqual(EDGE.origins["Stream"].read_seconds, 60, "a longer timeout needs a higher quota")

    def test_the_api_times_out_first(self):
        self.assertGreater(EDGE.origins["Api"].read_seconds, API_SECONDS)

    def test_the_duration_of_a_response_is_not_limited(self):
        for origin in EDGE.config["Origins"]:
            self.assertNotIn("ResponseCompletionTimeout", origin)


class Caller(unittest.TestCase):
    def test_the_functions_read_the_headers_that_are_sent(self):
        secret = constant("shared/http/src/edge.rs", r'const SECRET: &str = "([^"]+)"')
        self.assertEqual(constant("shared/http/src/edge.rs", r'const VIEWER: &str = "([^"]+)"'), VIEWER_HEADER)
        for origin in EDGE.origins.values():
            self.assertEqual(origin.headers, {secret: "s" * 32})

    def test_the_viewers_address_replaces_a_header_of_the_viewer(self):
        for behavior in EDGE.behaviors:
            functions = behavior.settings["FunctionAssociations"]
            self.assertEqual([one["EventType"] for one in functions], ["viewer-request"])
            self.assertEqual(functions[0]["FunctionARN"], {"Fn::GetAtt": ["ViewerAddress", "FunctionARN"]})
        node = shutil.which("node")
        self.assertIsNotNone(node, "node is missing: install Node.js 20 or later")
        code = EDGE.resources["ViewerAddress"]["Properties"]["FunctionCode"]
        spoofed = {"value": "192.0.2.1", "multiValue": [{"value": "192.0.2.1"}, {"value": "192.0.2.2"}]}
        for headers in ({}, {VIEWER_HEADER: spoofed, "accept": {"value": "*/*"}}):
            event = {"viewer": {"ip": "2001:db8::7"}, "request": {"uri": "/", "headers": headers}}
            script = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))"
            output = subprocess.run([node, "--eval", script], check=True, capture_output=True, text=True).stdout
            expected = {**event["request"], "headers": {**headers, VIEWER_HEADER: {"value": "2001:db8::7"}}}
            self.assertEqual(json.loads(output), expected)

    def test_the_secret_is_not_shown(self):
        parameter = Template.load(ROOT / "infra/edge.yaml").parameters()["EdgeSecret"]
        self.assertTrue(parameter["NoEcho"])
        self.assertNotIn("Default", parameter)
        self.assertGreaterEqual(parameter["MinLength"], 32)


if __name__ == "__main__":
    unittest.main()
