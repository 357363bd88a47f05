"""The shell functions of the runbook's index, and commands of its pages, on an `aws` that only notes its calls."""

import datetime
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

import aws
from test_runbook import BLOCK, INDEX, PAGES, TEMPLATE

FUNCTIONS = dict(BLOCK.findall(INDEX))["shell"]


def shell(commands, aws, **environment):
    """Runs commands with the functions of the index, on an `aws` that is a function of the shell too; what it was called
    with is in the file $CALLS, a line for each call."""
    with tempfile.TemporaryDirectory() as folder:
        calls = pathlib.Path(folder, "calls")
        calls.touch()
        script = f'{FUNCTIONS}\nsleep() {{ :; }}\naws() {{\n  echo "$*" >> "$CALLS"\n{aws}\n}}\n{commands}\n'
        variables = {"PATH": os.environ["PATH"], "STACK": "r", "AWS_REGION": "eu-west-1", "CALLS": str(calls), **environment}
        ended = subprocess.run(["bash", "-c", script], env=variables, capture_output=True, text=True, timeout=30)
        return ended, calls.read_text(encoding="utf-8").splitlines()


class Functions(unittest.TestCase):
    """The functions of the index that change something, and what is different after a release that shifted gradually."""

    AWS = """
        case "$2" in
          $FAILS) return 254 ;;
          get-alias)
            [[ -z $WARNS ]] || echo "$WARNS" >&2
            case "$LIVE" in
              yes) echo "${WEIGHTS:-0}" ;;
              no) echo "An error occurred (ResourceNotFoundException) when calling the GetAlias operation" >&2; return 254 ;;
              *) echo "An error occurred ($LIVE) when calling the GetAlias operation" >&2; return 254 ;;
            esac ;;
          describe-stacks) echo "${STATUS:-UPDATE_COMPLETE}" ;;
          publish-version) echo 7 ;;
          list-event-source-mappings) echo "id1 id2" ;;
          get-function-configuration) [[ $* == *LastUpdateStatus* ]] && echo "$UPDATE" || echo arn ;;
          list-rule-names-by-target) [[ $LIVE$4 == yesarn:live || $LIVE$4 == noarn ]] && echo rule1 ;;
        esac
    """

    def calls(self, commands, live, **environment):
        ended, calls = shell(commands, self.AWS, LIVE=live, UPDATE="Successful", **environment)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return [call.split(" --query")[0] for call in calls]

    def test_memory_goes_to_the_version_that_gets_the_events(self):
        asked = "cloudformation describe-stacks --stack-name r", "lambda get-alias --function-name r-render --name live --output text"
        changed = "lambda update-function-configuration --function-name r-render --memory-size 5000"
        self.assertEqual(self.calls("memory render 5000", "no"), [*asked, changed])
        moved = "lambda update-alias --function-name r-render --name live --function-version 7"
        self.assertEqual(self.calls("memory render 5000", "yes")[-1], moved)

    def refused(self, **environment):
        """What was called, and what was printed, by a change of memory that fails."""
        ended, calls = shell("memory render 5000", self.AWS, **{"LIVE": "yes", "UPDATE": "Successful", **environment})
        self.assertNotEqual(ended.returncode, 0, environment)
        return [call.split()[1] for call in calls], ended.stderr

    def test_a_change_of_memory_that_fails_ends_and_is_told(self):
        calls, printed = self.refused(UPDATE="Failed")
        self.assertEqual((calls[-1], printed), ("get-function-configuration", "the change of r-render ended with Failed\n"))

    def test_no_step_of_a_change_of_memory_follows_one_that_failed(self):
        for step in ("describe-stacks", "update-function-configuration", "get-function-configuration", "publish-version", "update-alias"):
            self.assertEqual(self.refused(FAILS=step)[0][-1], step)

    def test_memory_is_not_changed_while_a_release_shifts(self):
        calls, printed = self.refused(WEIGHTS="1")
        self.assertEqual(calls, ["describe-stacks", "get-alias"])
        self.names_a_section(printed)
        query = re.search(r"--query '(length.*)'", FUNCTIONS)[1]
        for alias, weights in (({}, "0"), ({"RoutingConfig": {"AdditionalVersionWeights": {}}}, "0"),
                               ({"RoutingConfig": {"AdditionalVersionWeights": {"7": 0.1}}}, "1")):
            self.assertEqual(aws.shown(alias, {"query": query, "output": "text"}), weights)

    def names_a_section(self, printed):
        section = re.search(r"\(docs/runbook/README\.md, (.+)\)\n$", printed)[1]
        self.assertIn(f"## {section}\n", INDEX)

    def test_memory_is_not_changed_before_a_deployment_has_ended(self):
        """An alias has no weights until its shift begins, and after its end while other functions shift."""
        for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED",
                       "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "None"):
            for live in ("yes", "no"):
                calls, printed = self.refused(STATUS=status, LIVE=live)
                self.assertEqual(calls, ["describe-stacks"], status)
                self.assertIn(f"r is {status}: ", printed)
                self.names_a_section(printed)
        for status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"):
            self.assertIn("update-alias", self.calls("memory render 5000", "yes", STATUS=status)[-1], status)

    def test_a_warning_is_not_taken_for_a_release_that_shifts(self):
        warning = "urllib3 warns: 3 retries left"
        self.assertIn("update-alias", self.calls("memory render 5000", "yes", WARNS=warning)[-1])
        self.assertEqual(self.refused(WARNS=warning, WEIGHTS="1")[0], ["describe-stacks", "get-alias"])

    def test_only_an_alias_that_does_not_exist_is_none(self):
        calls, printed = self.refused(LIVE="AccessDeniedException")
        self.assertEqual(calls, ["describe-stacks", "get-alias"])
        self.assertIn("(AccessDeniedException)", printed)

    def test_alarms_are_those_of_the_stack_and_not_of_one_whose_name_begins_like_it(self):
        own = ["r-ApiErrorAlarm-1A2B\tOK\t2026", "r-FailuresAlarm-9Z\tALARM\t2026"]
        others = ["r-dev-ApiErrorAlarm-1A2B\tALARM\t2026", "r-d-ApiErrorAlarm-1\tOK\t2026"]
        ended, _ = shell("alarm ''", "printf '%s\\n' " + " ".join(f"$'{row}'" for row in [*others, *own]))
        self.assertEqual(ended.stdout.splitlines(), own)

    def test_no_alarm_has_a_name_of_its_own(self):
        """What `alarm` filters by: CloudFormation names an alarm <stack>-<logical id>-<letters and digits>."""
        for name, resource in TEMPLATE.resources().items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                self.assertNotIn("AlarmName", resource["Properties"])
                self.assertRegex(name, "^[A-Za-z0-9]+Alarm$")

    def test_an_alarm_is_muted_within_two_minutes_and_never_for_a_time_that_has_passed(self):
        """The call may take some seconds: the time of the rule is at least a minute ahead."""
        mute = dict(BLOCK.findall(INDEX))["mute"]
        before = datetime.datetime.now(datetime.timezone.utc)
        _, calls = shell(mute, "[[ $2 != describe-alarms ]] || printf 'r-ApiErrorAlarm-1A\\tALARM\\t2026\\n'")
        after = datetime.datetime.now(datetime.timezone.utc)
        given, _ = aws.arguments(shlex.split(calls[-1].replace('{"', "'{\"", 1) + "'"))
        self.assertEqual(given["MuteTargets"], {"AlarmNames": "r-ApiErrorAlarm-1A"})
        schedule = given["Rule"]["Schedule"]
        minute = datetime.datetime.strptime(schedule["Expression"] + "+0000", "at(%Y-%m-%dT%H:%M)%z")
        one = datetime.timedelta(minutes=1)
        self.assertTrue(before + one < minute <= after + 2 * one, schedule)
        self.assertIn("It begins within two minutes:\n\n<!-- run: mute -->", INDEX)
        self.assertEqual(schedule["Duration"], "PT1H")

    def test_programs_of_python_and_others_get_the_region(self):
        ended, _ = shell("printenv AWS_REGION AWS_DEFAULT_REGION", "")
        self.assertEqual(ended.stdout, "eu-west-1\neu-west-1\n")
        self.assertIn("AWS_REGION: is the region", shell("", "", AWS_REGION="")[0].stderr)

    def test_mappings_get_a_concurrency(self):
        changed = [f"lambda update-event-source-mapping --uuid id{n} --scaling-config MaximumConcurrency=20" for n in (1, 2)]
        self.assertEqual(self.calls("concurrency render 20", "no")[1:], changed)
        ended, calls = shell("concurrency render", self.AWS, LIVE="no")
        self.assertNotEqual(ended.returncode, 0)
        self.assertNotIn("update", " ".join(calls))

    def test_the_api_is_called_with_a_key_and_a_body(self):
        curl = 'curl() { printf "%s\\n" "$@"; cat; }; '
        header = "Authorization: Bearer k"
        ended, _ = shell(curl + "api /api/queue/status", "", KEY="k", API="https://a.example")
        self.assertEqual(ended.stdout.splitlines(), ["-fsS", "-H", "@-", "https://a.example/api/queue/status", header])
        ended, _ = shell(curl + """api /api/queue/toggle '{"a": 1}'""", "echo https://b.example", KEY="k")
        given = ["-fsS", "-H", "@-", "-H", "Content-Type: application/json", "-d", '{"a": 1}']
        self.assertEqual(ended.stdout.splitlines(), [*given, "https://b.example/api/queue/toggle", header])
        ended, _ = shell(curl + "api /api/queue/status", "", API="https://a.example")
        self.assertEqual((ended.stdout, ended.returncode), ("", 127))
        self.assertIn("KEY: is an API key", ended.stderr)

    # It shows the value in the file, and how the file is.
    STORES = """
        local call="$*"
        call=${call##*file://}
        call=${call%% *}
        cat "$call"
        echo " $(ls -l "$call" | cut -c1-10) $call"
        return "${STATUS:-0}"
    """

    def stored(self, before="", **environment):
        """What a stored value is, its file's mode, and what the command ended with."""
        ended, (call,) = shell(f"{before}SECRET=A\n{self.heal()}", self.STORES, SETTINGS="/r/prod", **environment)
        value, mode, file = ended.stdout.rsplit(" ", 2)
        self.assertIn("--name /r/prod/A --type SecureString --overwrite", call)
        self.assertNotIn(value, call)
        self.assertFalse(pathlib.Path(file.strip()).exists(), "it is removed")
        return value, mode, ended.returncode

    def heal(self):
        return dict(BLOCK.findall(PAGES["missing-secret"]))["heal"]

    def test_a_value_is_stored_from_a_file_that_is_removed_and_of_its_owner_alone(self):
        value = "a $b \\ 'c' * end"
        self.assertEqual(self.stored(VALUE=value), (value, "-rw-------", 0))
        self.assertEqual(self.stored(VALUE=value, STATUS="254"), (value, "-rw-------", 254))

    def test_a_value_is_asked_for_if_none_is_given(self):
        typed = "a $b \\ 'c' * end"
        self.assertEqual(self.stored(f"exec <<'END'\n{typed}\nEND\n"), (typed, "-rw-------", 0))
        ended, calls = shell(f"exec </dev/null\nSECRET=A\n{self.heal()}", self.STORES, SETTINGS="/r/prod")
        self.assertEqual((ended.returncode, ended.stderr.strip(), calls), (1, "A needs a value", []))
        ended, calls = shell(self.heal(), self.STORES, SETTINGS="/r/prod", VALUE="v")
        self.assertNotEqual(ended.returncode, 0, "a secret has a name")
        self.assertEqual(calls, [])

    def test_a_value_is_one_line_with_its_spaces(self):
        for typed in ("  a  b\t ", "\\n "):
            self.assertEqual(self.stored(f"exec <<'END'\n{typed}\nEND\n"), (typed, "-rw-------", 0))
            self.assertEqual(self.stored(f"exec < <(printf %s '{typed}')\n"), (typed, "-rw-------", 0), "without a line break")

    def test_more_than_a_line_is_refused_and_runs_as_no_command(self):
        for more in ("\n", "second", "second\necho ran"):
            ended, calls = shell(f"exec < <(printf '%s\\n' 'first' '{more}')\nSECRET=A\n{self.heal()}\nprintf 'status %s\\n' $?\ncat",
                                 self.STORES, SETTINGS="/r/prod")
            self.assertEqual((ended.stdout, calls), ("status 1\n", []), more)
            self.assertIn("the value of A must be one line", ended.stderr)

    def test_a_value_of_the_shell_is_stored_once_and_said(self):
        asked = "exec <<'END'\nsecond\nEND\n"
        for given in ("", "VALUE=$'first\\nof two '\n", "export VALUE=$'first\\nof two '\n"):
            environment = {} if given else {"VALUE": "first\nof two "}
            commands = f"{given}{asked}store A\nstore B\nstore C"
            ended, calls = shell(commands, self.STORES, SETTINGS="/r/prod", **environment)
            values = re.findall(r"((?s:.)*?) -rw------- \S+\n", ended.stdout)
            self.assertEqual((values, len(calls)), (["first\nof two ", "second"], 2), given)
            self.assertIn("takes VALUE for A, and unsets it", ended.stderr)
            self.assertEqual((ended.returncode, ended.stderr.splitlines()[-1]), (1, "C needs a value"))

    def test_mappings_are_shown_and_changed(self):
        self.assertEqual(self.calls("reading render", "no")[1:], [f"lambda get-event-source-mapping --uuid id{n}" for n in (1, 2)])
        changed = [f"lambda update-event-source-mapping --uuid id{n} --enabled" for n in (1, 2)]
        self.assertEqual(self.calls("reading render --enabled", "no")[1:], changed)

    def test_loops_are_allowed_for_the_functions_of_the_template_whatever_the_page_before_left(self):
        heal = dict(BLOCK.findall(PAGES["recursion"]))["heal"]
        _, calls = shell(heal, "", FUNCTION="render", NAME="render")
        resources = TEMPLATE.resources().values()
        allowed = [one["Properties"]["FunctionName"]["Fn::Sub"] for one in resources if one.get("Properties", {}).get("RecursiveLoop") == "Allow"]
        names = [re.search(r"--function-name (\S+) --recursive-loop Allow$", call)[1] for call in calls]
        self.assertEqual(sorted(names), sorted(name.replace("${AWS::StackName}", "r") for name in allowed))

    def test_the_failure_queue_is_kept_if_the_repair_failed(self):
        heal = dict(BLOCK.findall(PAGES["failures"]))["heal"]
        for status, purged in ((1, False), (0, True)):
            ended, calls = shell(f"cargo() {{ return {status}; }}\n{heal}", self.AWS)
            self.assertEqual((ended.returncode, any("purge-queue" in call for call in calls)), (status, purged))

    def test_a_schedule_is_enabled_whether_it_calls_an_alias_or_not(self):
        heal = dict(BLOCK.findall(PAGES["sweep-missed"]))["heal"].replace("cargo xtask", ": cargo xtask")
        for live in ("no", "yes"):
            self.assertIn("events enable-rule --name rule1", self.calls(heal, live), live)


class Saved(unittest.TestCase):
    """The function of the index that runs a saved query."""

    # The query is running at first, and then has the state END.
    AWS = """
        case "$2 $*" in
          get-query-results*status*) [[ $(grep -c status "$CALLS") == 1 ]] && echo Running || echo "$END" ;;
          get-query-results*) echo rows ;;
          *) echo "$2" ;;
        esac
    """

    def run_saved(self, end):
        return shell("saved 'which functions crashed'", self.AWS, END=end)[0]

    def test_a_query_looks_back_an_hour_or_as_many_as_are_asked_for(self):
        for given, seconds in (({}, 3600), ({"HOURS": "12"}, 12 * 3600)):
            calls = shell("saved 'which functions crashed'", self.AWS, END="Complete", **given)[1]
            times = re.search(r"--start-time (\d+) --end-time (\d+)", " ".join(calls))
            self.assertAlmostEqual(int(times[2]) - int(times[1]), seconds + 1, delta=5)

    def test_a_query_that_completes_prints_its_rows(self):
        ended = self.run_saved("Complete")
        self.assertEqual((ended.returncode, ended.stdout), (0, "rows\n"), ended.stderr)

    def test_a_query_that_fails_ends_and_is_told(self):
        for end in ("Failed", "Timeout", "Cancelled", "Unknown"):
            ended = self.run_saved(end)
            self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (1, "", f"the query ended with {end}\n"))

    def test_each_value_has_its_name_and_pointers_are_left_out(self):
        query = re.search(r'--query "(results.*)"', FUNCTIONS)[1]
        row = [{"field": "level", "value": "ERROR"}, {"field": "@ptr", "value": "CmEK"}, {"field": "error", "value": "no sound"}]
        self.assertEqual(aws.shown({"results": [row, row[:1]]}, {"query": query, "output": "text"}), "level=ERROR\terror=no sound\nlevel=ERROR")


if __name__ == "__main__":
    unittest.main()
