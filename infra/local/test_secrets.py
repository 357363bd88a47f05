"""What `cargo xtask secrets` stores in SSM, with a dictionary as a fake."""

import json
import unittest
from unittest import mock

from botocore.exceptions import ClientError

from commands import secrets
from commands.cloud import Problem


class Ssm(dict):
    """Parameters by name."""

    def __call__(self, _service):
        return self

    def get_parameter(self, Name, WithDecryption):
        if Name not in self:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Name": Name, "Value": self[Name]}}

    def get_parameters(self, Names):
        assert len(Names) <= 10
        return {"Parameters": [{"Name": name} for name in Names if name in self]}

    def put_parameter(self, Name, Value, Type, Overwrite):
        assert Type == "SecureString" and Value
        self[Name] = Value


class Secrets(unittest.TestCase):
    def put(self, ssm, values, show=False):
        with mock.patch.object(secrets, "client", ssm), mock.patch.object(secrets, "say"):
            return secrets.put("/p", values, show)

    def test_a_new_stack_has_combined_options(self):
        ssm = Ssm()
        done = self.put(ssm, {"API_KEYS": None, "WEBHOOK_TIMEOUT": "5000", "WEBHOOK_URLS": "https://a.example/"})
        self.assertEqual({name: what["action"] for name, what in done.items()}, dict.fromkeys(done, "created"))
        self.assertEqual(sorted(ssm), ["/p/API_KEYS", "/p/WEBHOOK_OPTIONS", "/p/WEBHOOK_URLS"])
        self.assertEqual(json.loads(ssm["/p/WEBHOOK_OPTIONS"]), {"WEBHOOK_TIMEOUT": "5000"})

    def test_the_options_exist_even_if_empty(self):
        ssm = Ssm()
        self.put(ssm, {"API_KEYS": "k"})
        self.assertEqual(ssm["/p/WEBHOOK_OPTIONS"], "{}")

    def test_other_options_stay_and_an_empty_value_restores_the_default(self):
        ssm = Ssm({"/p/WEBHOOK_OPTIONS": '{"WEBHOOK_TIMEOUT": "5000", "WEBHOOK_CONCURRENCY": "4"}'})
        done = self.put(ssm, {"WEBHOOK_CONCURRENCY": "", "WEBHOOK_SCHEDULE": "standard", "WEBHOOK_TIMEOUT": "5000"})
        actions = {"WEBHOOK_CONCURRENCY": "removed", "WEBHOOK_SCHEDULE": "created", "WEBHOOK_TIMEOUT": "kept"}
        self.assertEqual({name: what["action"] for name, what in done.items()}, actions)
        kept = {"WEBHOOK_TIMEOUT": "5000", "WEBHOOK_SCHEDULE": "standard"}
        self.assertEqual(json.loads(ssm["/p/WEBHOOK_OPTIONS"]), kept)

    def test_a_stack_with_separate_parameters_keeps_them(self):
        ssm = Ssm({"/p/WEBHOOK_TIMEOUT": "5000"})
        self.put(ssm, {"WEBHOOK_CONCURRENCY": "4"})
        self.assertEqual(dict(ssm), {"/p/WEBHOOK_TIMEOUT": "5000", "/p/WEBHOOK_CONCURRENCY": "4"})

    def test_existing_secrets_are_kept(self):
        ssm = Ssm({"/p/API_KEYS": "mine"})
        done = self.put(ssm, {"API_KEYS": None}, show=True)
        self.assertEqual((ssm["/p/API_KEYS"], done["API_KEYS"]), ("mine", {"action": "kept", "value": "mine"}))

    def test_invalid_settings_are_refused(self):
        for values, reason in (
            ({"WEBHOOK_TIMOUT": "1"}, "unknown setting `WEBHOOK_TIMOUT`: did you mean `WEBHOOK_TIMEOUT`"),
            ({"API_KEY": "k"}, "unknown setting `API_KEY`: did you mean `API_KEYS`"),
            ({"webhook_urls": "https://a.example/"}, "did you mean `WEBHOOK_URLS`"),
            ({"PORT": "1"}, "unknown setting `PORT`: docs/settings.md lists the settings"),
            ({"WEBHOOK_OPTIONS": "{}", "WEBHOOK_TIMEOUT": "1"}, "not both"),
        ):
            with self.assertRaisesRegex(Problem, reason):
                self.put(Ssm(), values)
        for broken in ("[]", "nonsense"):
            with self.assertRaisesRegex(Problem, "must be a JSON object"):
                self.put(Ssm({"/p/WEBHOOK_OPTIONS": broken}), {"WEBHOOK_TIMEOUT": "1"})


if __name__ == "__main__":
    unittest.main()
