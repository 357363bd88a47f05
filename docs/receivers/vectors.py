"""Writes vectors.json: webhooks that a receiver has to accept, or to refuse for the reason given. Needs `cryptography`.
The keys are for tests only. `python vectors.py --check` says whether the file is what this would write."""

import base64
import hashlib
import hmac
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE = pathlib.Path(__file__).with_name("vectors.json")

NOW = 1_795_321_963
ID = "msg_3506d615026b5c56ad5b7db47bf6fb98"
BODY = '{"event":"job.completed","data":{"job_id":"job_1"}}'


def b64(data):
    return base64.b64encode(data).decode()


def secret_of(key):
    return "whsec_" + b64(key)


def public_of(private):
    return "whpk_" + b64(private.public_key().public_bytes_raw())


def tampered(encoded):
    """The same text with another first character."""
    return ("B" if encoded[0] == "A" else "A") + encoded[1:]


def left_over(encoded):
    """The same bytes, with a last character before the padding that has other bits than it should."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert encoded[-1] == "=" and encoded[-2] != "="
    return encoded[:-2] + alphabet[alphabet.index(encoded[-2]) ^ 1] + "="


NEW_KEY, OLD_KEY, FOREIGN_KEY = bytes(range(32)), bytes(range(100, 124)), bytes(range(200, 232))
NEW, OLD, FOREIGN = secret_of(NEW_KEY), secret_of(OLD_KEY), secret_of(FOREIGN_KEY)
NEW_PRIVATE, OLD_PRIVATE, FOREIGN_PRIVATE = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
NEW_PUBLIC, OLD_PUBLIC, FOREIGN_PUBLIC = map(public_of, (NEW_PRIVATE, OLD_PRIVATE, FOREIGN_PRIVATE))


def signed(id, timestamp, body):
    return f"{id}.{timestamp}.".encode() + as_bytes(body)


def as_bytes(body):
    return body if isinstance(body, bytes) else body.encode()


def v1(key=NEW_KEY, id=ID, timestamp=NOW, body=BODY, version="v1"):
    return f"{version},{b64(hmac.digest(key, signed(id, timestamp, body), hashlib.sha256))}"


def v1a(private=NEW_PRIVATE, id=ID, timestamp=NOW, body=BODY, version="v1a"):
    return f"{version},{b64(private.sign(signed(id, timestamp, body)))}"


def vectors():
    found = []

    def case(name, expect, signature=None, *, id=ID, timestamp=NOW, body=BODY, secrets=(NEW,), public_keys=(),
             tolerance=None, ours_only=None):
        """`signature` is the header; without it, what the newest secret makes. `ours_only` says why the official
        libraries need not agree."""
        timestamp = str(timestamp) if isinstance(timestamp, int) else timestamp
        vector = {
            "name": name,
            "expect": expect,
            "id": id,
            "timestamp": timestamp,
            "signature": v1(id=id, timestamp=timestamp, body=body) if signature is None else signature,
            "body_base64": b64(as_bytes(body)),
            "secrets": list(secrets),
            "public_keys": list(public_keys),
            "now": NOW,
        }
        optional = {"tolerance": tolerance, "ours_only": ours_only}
        found.append(vector | {key: value for key, value in optional.items() if value is not None})

    # v1
    case("v1", "accept")
    case("v1 with the second secret", "accept", v1(OLD_KEY), secrets=[NEW, OLD])
    case("one of several tokens", "accept", f"{v1(FOREIGN_KEY)} {v1()}")
    case("two tokens while secrets rotate, receiver with the new one", "accept", f"{v1()} {v1(OLD_KEY)}")
    case("two tokens while secrets rotate, receiver with the old one", "accept", f"{v1()} {v1(OLD_KEY)}", secrets=[OLD])
    case("a secret without padding", "accept", v1(), secrets=[NEW.rstrip("=")])
    case("a secret that is text", "accept", v1(b"s3cret, S\xc3\xa9rie"), secrets=["s3cret, Série"])
    case("a secret that is base64 without its prefix is text", "accept", v1(b64(NEW_KEY).encode()),
         secrets=[b64(NEW_KEY)], ours_only="the libraries decode it")
    case("a secret with its prefix that is no base64 is text", "accept", v1(b"whsec_not base64"),
         secrets=["whsec_not base64"], ours_only="the libraries refuse such a secret")
    case("a secret with its prefix that no base64 is as long as is text", "accept", v1(b"whsec_AAAAA"),
         secrets=["whsec_AAAAA"], ours_only="the libraries refuse such a secret")
    case("another secret", "mismatch", secrets=[FOREIGN])

    # What is signed
    case("a body that is not ASCII", "accept", body='{"contentType":"Série","note":"🎬 日本語"}')
    case("a body with CRLF and blanks", "accept", body='{\r\n  "event": "job.completed" }\r\n')
    case("an empty body", "accept", body="", ours_only="the libraries parse it")
    case("a body that is not UTF-8", "accept", body=b"\x00\xff\xfe\r\n", ours_only="the libraries take text only")
    case("another byte in the body", "mismatch", v1(), body=BODY.replace("job_1", "job_2"))
    case("the same JSON with other blanks", "mismatch", v1(), body=BODY.replace(":", ": "))
    case("a line end after the body", "mismatch", v1(), body=BODY + "\n")
    case("another id", "mismatch", v1(), id="msg_3506d615026b5c56ad5b7db47bf6fb99")
    case("another timestamp", "mismatch", v1(), timestamp=NOW + 1)

    # Time
    case("exactly 300 s old", "accept", timestamp=NOW - 300)
    case("exactly 300 s ahead", "accept", timestamp=NOW + 300)
    case("301 s old", "too_old", timestamp=NOW - 301)
    case("301 s ahead", "too_new", timestamp=NOW + 301)
    fixed = "the libraries' tolerance is 300"
    case("61 s old for a tolerance of 60", "too_old", timestamp=NOW - 61, tolerance=60, ours_only=fixed)
    case("600 s old for a tolerance of 600", "accept", timestamp=NOW - 600, tolerance=600, ours_only=fixed)
    case("from 1970", "too_old", timestamp=0)
    case("in milliseconds", "too_new", timestamp=NOW * 1000)

    # Malformed or missing
    lenient = "the libraries read a number where they can"
    arabic = "".join(chr(0x660 + int(digit)) for digit in str(NOW))
    for timestamp in ("now", "1e9", f"{NOW}.0", f"+{NOW}", f"-{NOW}", f" {NOW}", f"{NOW}\n", f"0x{NOW:x}", "9" * 16,
                      "9" * 400, arabic):
        case(f"timestamp {json.dumps(timestamp[:20])}", "malformed", timestamp=timestamp, ours_only=lenient)
    case("an id with a dot", "malformed", id="msg_1.1795321963", ours_only="the libraries take any id")
    case("a dot moved from the body into the id", "malformed", v1(id="msg_1", timestamp=NOW, body="1.{}"),
         id=f"msg_1.{NOW}", timestamp="1", body="{}", ours_only="the libraries take any id")
    for name in ("id", "timestamp"):
        case(f"an empty {name}", "missing", v1(), **{name: ""})
    case("an empty signature", "missing", "")
    found.append(found[-1] | {"name": "no headers", "id": None, "timestamp": None, "signature": None})

    # Tokens
    strict = "some of the libraries fail on a token without one comma"
    case("an unknown version beside ours", "accept", f"v2,c29tZXRoaW5n {v1()}")
    case("only an unknown version", "mismatch", v1(version="v2"))
    case("an upper-case version", "mismatch", v1(version="V1"))
    case("a version that is a name in JavaScript", "mismatch", v1(version="constructor"))
    case("a token without a version", "mismatch", v1().removeprefix("v1,"), ours_only=strict)
    case("a version without a token", "mismatch", "v1, v1a, v1 ,", public_keys=[NEW_PUBLIC])
    case("tokens that are no tokens beside ours", "accept", f"v1 ,, v1,,,  {v1()} v1", ours_only=strict)
    case("ours behind a comma", "mismatch", "v1," + v1(), ours_only=strict)
    case("ours with a comma behind it", "mismatch", v1() + ",", ours_only=strict)
    case("garbage in place of base64", "mismatch", "v1,!!!! v1,%%%== v1,é v1a,\U0001f3ac", public_keys=[NEW_PUBLIC])
    case("base64 that is too short", "mismatch", "v1,AAAA", public_keys=[NEW_PUBLIC])
    case("base64 that is too long", "mismatch", "v1," + b64(base64.b64decode(v1()[3:]) + b"\0"))
    case("another first character", "mismatch", "v1," + tampered(v1()[3:]))
    case("base64 without its padding", "mismatch", v1().rstrip("="), ours_only="some of the libraries pad it")
    case("base64 with bits left over", "mismatch", left_over(v1()), ours_only="some of the libraries pass over them")
    case("base64url", "mismatch", v1(body="{}").translate(str.maketrans("+/", "-_")), body="{}",
         ours_only="some of the libraries take it")
    case("hexadecimal", "mismatch", "v1," + hmac.new(NEW_KEY, signed(ID, NOW, BODY), hashlib.sha256).hexdigest())
    case("ours as the 32nd token", "accept", " ".join(["v2,AAAA"] * 31 + [v1()]))
    case("ours as the 33rd token", "mismatch", " ".join(["v2,AAAA"] * 32 + [v1()]), ours_only="the libraries read on")

    # v1a
    only_v1a = {"secrets": [], "public_keys": [NEW_PUBLIC]}
    case("v1a", "accept", v1a(), **only_v1a)
    case("v1a with the second public key", "accept", v1a(OLD_PRIVATE), secrets=[], public_keys=[NEW_PUBLIC, OLD_PUBLIC])
    both = f"{v1()} {v1(OLD_KEY)} {v1a()} {v1a(OLD_PRIVATE)}"
    for name, keys in {
        "the new secret": ([NEW], []), "the old secret": ([OLD], []),
        "the new public key": ([], [NEW_PUBLIC]), "the old public key": ([], [OLD_PUBLIC]),
        "a secret and a foreign public key": ([NEW], [FOREIGN_PUBLIC]),
        "a foreign secret and a public key": ([FOREIGN], [NEW_PUBLIC]),
    }.items():
        case(f"both versions, receiver with {name}", "accept", both, secrets=keys[0], public_keys=keys[1])
    case("v1a over a body that is not ASCII", "accept", v1a(body="Série 🎬\r\n"), body="Série 🎬\r\n", **only_v1a)
    case("v1a with another public key", "mismatch", v1a(), secrets=[], public_keys=[FOREIGN_PUBLIC])
    case("v1a with another byte in the body", "mismatch", v1a(), body="{}", **only_v1a)
    case("v1a with another id", "mismatch", v1a(), id="msg_2", **only_v1a)
    case("v1a, 301 s old", "too_old", v1a(timestamp=NOW - 301), timestamp=NOW - 301, **only_v1a)
    case("v1a with another first character", "mismatch", "v1a," + tampered(v1a()[4:]), **only_v1a)
    case("v1a of the wrong length", "mismatch", f"v1a,AAAA v1a,{b64(bytes(63))} v1a,{b64(bytes(65))}", **only_v1a)
    case("v1a of zeros", "mismatch", "v1a," + b64(bytes(64)), **only_v1a)
    case("v1a for a receiver with a secret only", "mismatch", v1a())

    # Downgrade: who gives public keys only does not accept what a secret made, whatever it is called.
    raw_public = base64.b64decode(NEW_PUBLIC.removeprefix("whpk_"))
    for name, signature in {
        "v1": v1(), "v1 called v1a": v1(version="v1a"), "v1a called v1": v1a(version="v1"),
        "v1 made with the public key": v1(raw_public), "v1 made with the public key's text": v1(NEW_PUBLIC.encode()),
        "v1 made with an empty key": v1(b""),
    }.items():
        case(f"only v1a accepted: {name}", "mismatch", signature, **only_v1a)

    # This side's keys
    for name, secrets, public_keys in [
        ("none", [], []), ("an empty secret", [""], []), ("an empty secret beside a good one", [NEW, ""], []),
        ("a secret that is only a prefix", ["whsec_"], []), ("a public key among the secrets", [NEW_PUBLIC], []),
        ("a private key among the secrets", ["whsk_" + b64(bytes(64))], []), ("an empty public key", [], [""]),
        ("a public key without its prefix", [], [NEW_PUBLIC.removeprefix("whpk_")]),
        ("a public key with another prefix", [], [NEW_PUBLIC.replace("whpk_", "whsk_")]),
        ("a public key that is too short", [], ["whpk_AAAA"]), ("a public key that is no base64", [], ["whpk_!"]),
        ("a secret among the public keys", [], [NEW]),
    ]:
        case(f"keys: {name}", "bad_key", v1(b""), secrets=secrets, public_keys=public_keys)
    return found


text = "[\n" + ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors()) + "\n]\n"
if sys.argv[1:] == ["--check"]:
    sys.exit(None if FILE.read_text(encoding="utf-8") == text else f"{FILE} is not what vectors.py writes")
FILE.write_text(text, encoding="utf-8")
