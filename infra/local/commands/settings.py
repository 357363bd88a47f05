"""The settings in SSM: their names, and what docs/settings.md and the commands say about them.

Which function reads a setting stands in its code and in its role; test_settings.py compares both with this list.
"""

from dataclasses import dataclass

# The setting that contains several others, so that a function can read them in one call.
OPTIONS = "WEBHOOK_OPTIONS"


@dataclass(frozen=True)
class Setting:
    """A setting: the parameter `name` below SettingsPath."""

    name: str
    meaning: str
    # The value that functions use where the setting does not exist.
    default: str = ""
    # Whether its value must stay secret, or may contain something that must.
    secret: bool = False
    # What happens without it, if it is required.
    without: str = ""
    # Whether it is required even if the parameter Auth is `none`.
    always: bool = False
    # Whether `cargo xtask secrets` generates it where it does not exist.
    generated: bool = False
    # Whether it is a member of OPTIONS.
    member: bool = False


def member(name, default, meaning):
    """A member of OPTIONS that is not secret."""
    return Setting(name, meaning, default, member=True)


SETTINGS = (
    Setting(
        "API_KEYS",
        "*list*; the keys of callers. `sha256:` and 64 hexadecimal digits store only the hash of a key. An entry that looks "
        "like another hash, or contains white space, is refused; a key of fewer than 16 characters logs a warning",
        secret=True,
        without="every call is refused",
        generated=True,
    ),
    Setting("API_USERNAME", "user of HTTP Basic; set it together with `API_PASSWORD`, or neither"),
    Setting(
        "API_PASSWORD",
        "password of HTTP Basic. It should be random, of 16 characters or more: only the gateway's rate limit bounds guesses",
        secret=True,
    ),
    Setting(
        "SESSION_SECRET",
        "*list*; signs the session cookies of the [pages](pages.md#signing-in), and keys the fingerprints that identify "
        "callers in logs, limits and `Idempotency-Key`s. The newest value signs; removing a value ends the sessions that it "
        "signed",
        secret=True,
        without="no function that requires a key starts",
        generated=True,
    ),
    Setting(
        "JWT_SECRET",
        "*list*; verifies the tokens of [owners](contract/access.md#owners) where `JwtAlgorithm` is HS256; of 32 bytes or more. "
        "Without it, and without `JwtJwksUrl`, all callers are operators",
        secret=True,
    ),
    Setting(
        "CALLBACK_TOKEN_SECRET",
        "*list*; makes the tokens in `/w/<token>`, and signs links to videos and to files of projects",
        secret=True,
        without="`worker`, `render`, `fanout`, `videos`, `projects`, `job-stream` and the functions for callbacks do not start",
        always=True,
        generated=True,
    ),
    Setting(
        "WEBHOOK_SECRET_KEY",
        "*list*; signs webhooks, those to a video's `webhookUrl` too, and the requests to workers",
        secret=True,
        without="`dispatcher`, `worker` and `webhooks-admin` do not start",
        generated=True,
    ),
    Setting(
        "ENDPOINT_SECRETS_KEY",
        "*list*; encrypts what is private of registered endpoints: secrets, URLs, headers. The newest value encrypts; "
        "[how an older one is removed](operations.md#rotate-the-secrets-of-a-stack)",
        secret=True,
        without="`dispatcher` and `webhooks-admin` do not start",
        generated=True,
    ),
    Setting("OPERATOR_CALLBACK_TOKEN", "*list*; the token of a project-level hook at Creatomate", secret=True, generated=True),
    Setting("STEP_WEBHOOK_SECRET", "*list*; for workers that sign their callbacks", secret=True),
    Setting("VIDEO_WEBHOOK_SECRET", "*list*; for generation services that sign their callbacks", secret=True),
    Setting("LAST_FRAME_WEBHOOK_SECRET", "*list*; for last-frame services that sign their callbacks", secret=True),
    Setting("STITCH_WEBHOOK_SECRET", "*list*; for stitch services that sign their callbacks", secret=True),
    Setting("TASK_API_KEY", "the key for `VideoGenerationService`", secret=True),
    Setting("WEBHOOK_SECRET", "*list*; for clipping workers that sign their reports", secret=True),
    Setting("GENESIS_WEBHOOK_SECRET", "another name of `WEBHOOK_SECRET`; both count", secret=True),
    Setting("GENESIS_API_KEY", "the key for `ClippingWorkerUrl`", secret=True),
    Setting("LAST_FRAME_API_KEY", "the key for `LastFrameServiceUrl` and `StitchServiceUrl`", secret=True),
    Setting(
        "FAIR_SHARES",
        "weights by which owners and keys share the slots, such as `owner:acme=4,key:1f2e=2`: up to 100 of 1 to 100; the "
        "others have 1",
    ),
    Setting(
        "KEY_LIMITS",
        "limits of single keys and owners, such as `key:1f2e=1000/500,owner:acme=50,*=/200`: calls a minute in place of "
        "`ApiCallsPerMinute`, and behind a slash the jobs, videos, projects and clip jobs that they may make in a day of UTC; "
        "`*` stands for all others. Up to 100, [and who is called what](operations.md#one-key-makes-too-many-calls-or-jobs)",
    ),
    Setting(
        "EDGE_SECRET",
        "*list*; the secret with which [the domain in front](edge.md) of the stack proves that the caller's address is right",
        secret=True,
        generated=True,
    ),
    Setting(
        "CREATOMATE_API_KEY",
        "with it, the end of a render is confirmed with Creatomate; required if `Renderer` is `creatomate`",
        secret=True,
    ),
    Setting(
        "WEBHOOK_URLS",
        "endpoints, separated by commas; https. Those at [Slack and Discord](endpoints.md#slack-and-discord) get messages. "
        "Others are [registered](endpoints.md#register-an-endpoint) over the API",
        secret=True,
    ),
    Setting(
        "WEBHOOK_EVENTS",
        "what those endpoints subscribe to: names of events, `job.*`, `video.*`, `project.*`, `scene.*`, `clips.*`, "
        "`error.*`, `endpoint.*`, `delivery.*`, `webhook.*`, `*`",
        "job.completed,job.failed",
    ),
    Setting(
        "NOTIFICATION_SERVICE_URL",
        "gets a POST when a project completes, as a delivery like any other; https",
        secret=True,
    ),
    Setting("NOTIFICATION_API_KEY", "the key for that service", secret=True),
    Setting(OPTIONS, "a JSON object of the settings in the next table", secret=True),
    Setting(
        "WEBHOOK_HEADERS",
        "`Name:value,Name:value`, added to each delivery, but not at Slack and Discord; may contain secrets",
        secret=True,
        member=True,
    ),
    member("WEBHOOK_TIMEOUT", "10000", "ms for one attempt in all, 100 to 30000"),
    member("WEBHOOK_SCHEDULE", "streamgank", "`streamgank` follows the next three rows; or `vidbuilder`, `standard`"),
    member("WEBHOOK_MAX_RETRIES", "3", "0 to 20"),
    member("WEBHOOK_RETRY_DELAY", "1000", "ms before the first retry, up to a day"),
    member("WEBHOOK_MAX_RETRY_DELAY", "30000", "ms before a retry at most, up to a day"),
    member(
        "WEBHOOK_PERMANENT_STATUSES",
        "",
        "statuses from 400 to 499, separated by commas, after which a delivery is not retried; not 408, 425 and 429",
    ),
    member("WEBHOOK_RATE_LIMIT_MAX", "100", "attempts per endpoint and window"),
    member("WEBHOOK_RATE_LIMIT_WINDOW", "60000", "ms, a second to a day"),
    member("WEBHOOK_CONCURRENCY", "20", "concurrent attempts per endpoint at most, 1 to 1000"),
    member("WEBHOOK_CIRCUIT_FAILURES", "10", "failed attempts in a row that open an endpoint's circuit; 0: it never opens"),
    member("WEBHOOK_CIRCUIT_DELAY", "30000", "ms until the first probe, a second to a day"),
    member("WEBHOOK_CIRCUIT_MAX_DELAY", "900000", "ms between two probes at most, a second to a day"),
    member(
        "WEBHOOK_DISABLE_AFTER",
        "432000000",
        "ms that an endpoint may fail before it is disabled, up to 30 days; 0: for any time",
    ),
    member("WEBHOOK_DISABLE_AFTER_FAILURES", "1000", "failed attempts in a row that disable an endpoint; 0: any number"),
    member("WEBHOOK_ENDPOINT_POLICIES", "", "JSON object: policies of single endpoints of `WEBHOOK_URLS` that differ"),
)
NAMES = frozenset(setting.name for setting in SETTINGS)
MEMBERS = tuple(setting.name for setting in SETTINGS if setting.member)
