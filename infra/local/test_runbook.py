"""The runbook has a page for each alarm, with its sections, and with commands that exist; saved queries ask for fields that
functions write."""

import json
import pathlib
import re
import shlex
import unittest

import aws
import documents
import insights
import policies
from commands.template import Template

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/runbook"
TEMPLATE = Template.load(ROOT / "template.yaml")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
INDEX = PAGES.pop("README")
SECTIONS = ["What it means", "Causes", "The command", "It is over when"]
# Where a command begins: `aws`, `cargo`, or a function of the index.
START = re.compile(
    r"(?:^|\$\(|[|;&]|\bdo\b|\bif\b|\buntil\b|\bthen\b)\s*(?=(?:aws|cargo|%s) )"
    % "|".join(re.findall(r"^(\w+)\(\) \{", INDEX, re.MULTILINE)),
    re.MULTILINE,
)
CRATES = set(TEMPLATE.functions().values())
# Paths of the API, and the modules with the calls of the commands of `cargo xtask` that pages run. The others are for the
# day, or have their permissions elsewhere.
PATHS = json.loads((ROOT / "functions/pages/openapi/openapi.json").read_text(encoding="utf-8"))["paths"]
CALLS = {"invoke": "functions", "queues": "queues", "redrive": "queues", "repair": "functions", "secrets": "secrets", "show": "show"}
ELSEWHERE = {"doctor", "layer", "package", "setup"}
BLOCK = re.compile(r"<!-- run: ([\w-]+) -->\n```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Fields that Lambda and Insights write, and those of the access log.
FOREIGN = {"type", "level", "message", "record.status", "record.errorType", "span.request_id", "span.trace_id"}


def alarms():
    """Each alarm and budget, with the name of its page."""
    found = {}
    for name, resource in TEMPLATE.resources().items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            found[name] = page(resource["Properties"]["AlarmDescription"]["Fn::Sub"])
        elif resource["Type"] == "AWS::Budgets::Budget":
            named = resource["Properties"]["Budget"]["BudgetName"]["Fn::Sub"]
            found[name] = re.search(r", runbook ([\w-]+)\.md$", named)[1]
    return found


def page(described):
    """The page that a description ends with."""
    text, values = described if isinstance(described, list) else (described, {})
    for name, value in values.items():
        if isinstance(value, dict):
            where, key, column = value["Fn::FindInMap"]
            value = TEMPLATE.data["Mappings"][where][key][column]
        text = text.replace("${" + name + "}", value)
    return re.fullmatch(r"[^$]+\. \$\{RunbookUrl\}/([\w-]+)\.md", text)[1]


def commands(code):
    """The commands of a shell text that are checked, as lists of words; those in substitutions too."""
    code = code.replace("\\\n", " ")
    for found in START.finditer(code):
        lexer = shlex.shlex(code[found.end() :], posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.whitespace = lexer.whitespace.replace("\n", "")
        words = []
        for word in lexer:
            first, line_end, _ = word.partition("\n")
            if re.fullmatch(r"[();<>|&]+", first):
                break
            words.append(first)
            if line_end:
                break
        yield [word for word in words if word]


class Pages(unittest.TestCase):
    def test_each_alarm_has_its_page_and_each_page_an_alarm(self):
        self.assertEqual(set(alarms().values()), set(PAGES))

    def test_the_index_and_the_title_of_a_page_name_its_alarms(self):
        for alarm, name in alarms().items():
            known = f"`{alarm}`"
            if name == "failed-runs" and alarm != "FailedRunsAlarm":
                known = "`<Function>ErrorAlarm`"
            elif alarm.endswith("UrlErrorAlarm"):
                known = "`<Function>UrlErrorAlarm`"
            self.assertRegex(INDEX, rf"\| [^|]*{re.escape(known)}[^|]* \| \[[^]]+\]\({name}\.md\) \|", alarm)
            self.assertIn(known, PAGES[name].splitlines()[0], name)

    def test_each_page_has_the_sections_and_its_blocks(self):
        for name, text in PAGES.items():
            self.assertEqual(re.findall(r"^## (.+)$", text, re.MULTILINE), SECTIONS, name)
            blocks = ["heal", "over", "resume"] if name == "spend" else ["heal", "over"]
            self.assertEqual([found[0] for found in BLOCK.findall(text)], blocks, name)
            causes = re.findall(r"^\| (?!cause \||---)", text, re.MULTILINE)
            self.assertGreaterEqual(len(causes), 3, name)

    def test_a_budget_has_a_name_that_aws_takes(self):
        """At most 100 characters, no colon or backslash (AWS Billing API Reference, Budget). A stack's name has at most 45,
        since those of its functions begin with it."""
        for resource in TEMPLATE.resources().values():
            if resource["Type"] == "AWS::Budgets::Budget":
                name = resource["Properties"]["Budget"]["BudgetName"]["Fn::Sub"]
                longest = name.replace("${AWS::StackName}", "s" * 45).replace("${AWS::Region}", "ap-southeast-1")
                self.assertRegex(longest, r"^[^:\\$]{1,100}$")
                self.assertNotIn("/action/", longest)

    def test_functions_of_pages_are_among_the_words(self):
        words = re.search(r"^## Words\n(.*?)^## ", INDEX, re.MULTILINE | re.DOTALL)[1]
        explained = set(re.findall(r"`([\w-]+)`", " ".join(re.findall(r"^\| ([^|]+) \|", words, re.MULTILINE))))
        self.assertLess(explained, CRATES | {"job-stream", "videos-wait"})
        named = {name for name in CRATES for text in PAGES.values() if f"`{name}`" in text}
        self.assertLess(named, explained)

    def test_a_remedy_that_is_a_deployment_says_how(self):
        for name, text in PAGES.items():
            for remedy in re.findall(r"^\|.*\| (.+?) \|$", text, re.MULTILINE):
                if re.search(r"\bdeploy\b", remedy) and not remedy.startswith("deploy the newer version"):
                    self.assertIn("](README.md#deploy-another-value-of-a-parameter)", remedy, name)

    def test_the_game_day_rings_each_alarm(self):
        """All but the budget, and the alarms on each function that take the place of one about all of them; and the command
        of the page about money."""
        source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/it/game_day").glob("*.rs"))
        played = {alarm: name for name, alarm in re.findall(r'\bpage\("([\w-]+)", "(\w+)"\)', source)}
        left = {name for name, page in alarms().items() if page == "failed-runs"} - {"FailedRunsAlarm"} | {"SpendBudget"}
        self.assertEqual({name: page for name, page in alarms().items() if name not in left}, played)
        self.assertIn('"docs/runbook/spend.md", "heal"', source)
        self.assertEqual({*played.values(), "spend"}, set(PAGES))


class Commands(unittest.TestCase):
    def check(self, words, where):
        # What the shell makes of it: "${MEMORY:-4096}" has a default, "${2:?…}" stands for a number, and so does "$((…))".
        # A file that a variable names has some text.
        words = ["text" if word.startswith("file://$") else word for word in words]
        words = [re.sub(r"^\$\(\(.*\)\)$|\$\{\d:\?[^}]*\}", "1", re.sub(r"\$\{\w+:-(\w*)\}", r"\1", word)) for word in words]
        if words[0] == "aws" and words[-1] == "help":
            aws.operation(words[1:-1])
        elif words[:2] == ["aws", "s3"]:
            self.assertRegex(" ".join(words[2:]), r"^cp s3://\S+ \S+ -$|^cp s3://\S+ -$", where)
        elif words[0] == "aws":
            try:
                aws.arguments([word for word in words[1:] if word != "$2"])
            except aws.Usage as error:
                self.fail(f"{where}: {error}")
        elif words[0] == "cargo":
            self.assertEqual(words[1], "xtask", where)
        elif words[0] == "saved":
            queries = {row["Name"] for row in TEMPLATE.data["Mappings"]["SavedQueries"].values()}
            self.assertIn(words[1], queries, where)
        elif words[0] == "alarm":
            names = [name for name in alarms() if name.startswith(words[1])]
            self.assertTrue(names, f"{where}: no alarm begins with `{words[1]}`")
        elif words[0] == "output":
            self.assertIn(words[1], TEMPLATE.data["Outputs"], where)
        elif words[0] == "api":
            self.assertIn(re.sub(r"\$\w+", "{id}", words[1]).partition("?")[0], PATHS, where)
        elif words[0] == "store":
            self.assertEqual(words[1], "${SECRET:?}", where)
        # A page may ask for the function, and functions of the index pass their own on.
        elif words[1] not in ("${FUNCTION:?}", "$1"):
            self.assertIn(words[1], CRATES, where)

    def in_blocks(self):
        """The commands of each block, with the name of its page."""
        for name, text in {**PAGES, "README": INDEX}.items():
            for code in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
                found = list(commands(code))
                self.assertTrue(found, f"{name}: {code}")
                yield from ((name, words) for words in found)

    def in_sentences(self):
        """The commands in sentences, with the name of their page and themselves."""
        for name, text in {**PAGES, "README": INDEX}.items():
            prose = documents.FENCE.sub("", text)
            for span in re.findall(r"`((?:aws|cargo xtask|saved|alarm|api|store|reading|concurrency|memory) [^`]+)`", prose):
                for words in commands(span.replace("…", "").replace("alarm ''", "alarm A")):
                    yield f"{name}: {span}", words

    def test_blocks_and_sentences_have_commands_that_exist(self):
        for where, words in [*self.in_blocks(), *self.in_sentences()]:
            self.check(words, where)

    def test_a_page_that_has_messages_deleted_has_the_command(self):
        for name, text in PAGES.items():
            if "ReceiptHandle" in text:
                self.assertIn("aws sqs delete-message --queue-url", text, name)

    def test_a_page_that_lifts_the_limit_of_a_table_says_how_to_lift_that_of_an_index(self):
        lifting = {name for name, text in PAGES.items() if "--on-demand-throughput" in text}
        self.assertEqual(lifting, {"api-errors", "sweep-failed", "table-throttles"})
        for name in lifting:
            self.assertRegex(PAGES[name], r"\n\| [^\n]+\]\((?:table-throttles\.md)?#a-limit-of-an-index\) \|\n", name)
        (command,) = [words for _, words in self.in_blocks() if "--global-secondary-index-updates" in words]
        (update,) = aws.arguments(command[1:])[0]["GlobalSecondaryIndexUpdates"]
        self.assertEqual(update["Update"]["OnDemandThroughput"], {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1})

    def test_blocks_have_no_form_that_only_gnu_has(self):
        for name, text in {**PAGES, "README": INDEX}.items():
            for code in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
                self.assertNotRegex(code, r"\bdate [^|)]*-d\b|\bsed -i |\bgrep -\w*P", name)

    def test_the_documented_policy_has_the_actions_of_the_commands_and_no_others(self):
        calls, used = set(), {"cloud"}
        for where, words in [*self.in_blocks(), *self.in_sentences()]:
            if words[:2] == ["aws", "s3"]:
                calls.add(("s3", "get_object"))
            elif words[0] == "aws" and words[-1] != "help":
                calls.add((aws.RENAMED.get(words[1], words[1]), words[2].replace("-", "_")))
            elif words[0] == "cargo":
                self.assertIn(words[2], {*CALLS, *ELSEWHERE}, where)
                used |= {CALLS[words[2]]} if words[2] in CALLS else set()
        for module in used:
            source = (ROOT / f"infra/local/commands/{module}.py").read_text(encoding="utf-8")
            calls |= set(re.findall(r'\bclient\("([\w-]+)"\)\.(?!get_paginator)(\w+)\(', source))
            calls |= set(re.findall(r'\bclient\("([\w-]+)"\)\.get_paginator\("(\w+)"\)', source))
            calls |= set(re.findall(r"\b(sqs)\.(\w+)\(", source))
        self.assertEqual(policies.of_calls(calls), policies.documented("the runbook", "runbook/README.md"))

    def test_the_documented_policy_names_the_resource_of_each_action_that_takes_one(self):
        on_all, named = set(), {}
        for statement in policies.block("the runbook", "runbook/README.md")["Statement"]:
            self.assertEqual(statement["Effect"], "Allow")
            resources = statement["Resource"]
            if resources == "*":
                on_all |= set(statement["Action"])
                continue
            for action in statement["Action"]:
                self.assertNotIn(action, named)
                of_service = [arn for arn in resources if arn.startswith(f"arn:aws:{action.partition(':')[0]}:")]
                self.assertTrue(of_service, f"{action}: the statement names no resource of its service")
                named[action] = of_service, statement.get("Condition")
        self.assertEqual(on_all, set(policies.ON_ALL))
        self.assertFalse(on_all & set(named))
        # The name of a mapping says nothing, so its function does.
        mappings = {action for action, (arns, _) in named.items() if "arn:aws:lambda:*:*:event-source-mapping:*" in arns}
        self.assertEqual(mappings, {"lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"})
        of_stack = {"ArnLike": {"lambda:FunctionArn": "arn:aws:lambda:*:*:function:reelhook-*"}}
        for action, (arns, condition) in named.items():
            self.assertEqual(condition, of_stack if action in mappings else None, action)
            for arn in arns:
                self.assertTrue("reelhook" in arn or action in mappings, f"{action}: {arn}")
        self.assertLessEqual({"alarm:reelhook-*", "alarm-mute-rule:reelhook-*"},
                             {arn.split(":", 5)[5] for arn in named["cloudwatch:PutAlarmMuteRule"][0]})

    def test_each_place_where_a_command_may_stand_is_looked_at(self):
        for before in ("", "if ", "true && ", "false || ", "until ", "while true; do ", "if true; then ", "found=$(", "if found=$("):
            self.assertIn(["aws", "sts", "get-caller-identity"], list(commands(f"{before}aws sts get-caller-identity; ")), before)

    def test_the_check_finds_what_does_not_exist(self):
        good = ["sqs", "purge-queue", "--queue-url", "x"]
        aws.arguments(good)
        for bad in (["sqz", *good[1:]], ["sqs", "purge"], ["sqs", "purge-queue"], [*good, "--now"], ["sqs", "purge-queue", "x"]):
            with self.assertRaises(aws.Usage, msg=bad):
                aws.arguments(bad)

    def test_options_are_read_as_the_command_line_does(self):
        given, common = aws.arguments(shlex.split(
            "dynamodb update-table --table-name t --on-demand-throughput MaxReadRequestUnits=-1 --output text"
        ))
        self.assertEqual(given, {"TableName": "t", "OnDemandThroughput": {"MaxReadRequestUnits": -1}})
        self.assertEqual(common, {"output": "text"})
        words = "sns subscribe --topic-arn t --protocol email --notification-endpoint me@example.com"
        given, _ = aws.arguments(shlex.split(words))
        self.assertEqual(given, {"TopicArn": "t", "Protocol": "email", "Endpoint": "me@example.com"})
        given, _ = aws.arguments(shlex.split("lambda update-event-source-mapping --uuid 1 --no-enabled"))
        self.assertEqual(given, {"UUID": "1", "Enabled": False})
        self.assertEqual(aws.shown({"A": [["x", 1], ["y", None]]}, {"query": "A", "output": "text"}), "x\t1\ny\tNone")


class Definitions(unittest.TestCase):
    """What no local stack can provoke: the definitions themselves."""

    def properties(self, name):
        return TEMPLATE.resources()[name]["Properties"]

    def test_a_setting_that_is_missing_rings_for_each_function_that_no_caller_waits_for(self):
        counted, behind = set(), set()
        for name, resource in TEMPLATE.resources().items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::Logs::MetricFilter" and "fault" in properties["FilterPattern"]:
                counted.add(properties["LogGroupName"]["Ref"].removesuffix("Logs"))
            events = properties.get("Events", {}) if resource["Type"] == "AWS::Serverless::Function" else {}
            if {event["Type"] for event in events.values()} & {"SQS", "DynamoDB", "Schedule"}:
                behind.add(name)
        self.assertIn("InboxReader", behind)
        self.assertEqual(counted, behind)

    def test_recursion_rings_at_the_first_dropped_call(self):
        alarm = self.properties("RecursionAlarm")
        self.assertEqual((alarm["Namespace"], alarm["MetricName"]), ("AWS/Lambda", "RecursiveInvocationsDropped"))
        self.assertEqual((alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]), (0, 60, 1))

    def test_the_budget_is_of_a_day_and_goes_to_the_topic(self):
        budget = self.properties("SpendBudget")
        self.assertEqual((budget["Budget"]["BudgetType"], budget["Budget"]["TimeUnit"]), ("COST", "DAILY"))
        self.assertEqual(budget["Budget"]["BudgetLimit"], {"Amount": {"Ref": "DailyBudget"}, "Unit": "USD"})
        (notified,) = budget["NotificationsWithSubscribers"]
        self.assertEqual(notified["Notification"]["NotificationType"], "ACTUAL", "a budget of a day has no forecast")
        self.assertEqual(notified["Subscribers"], [{"SubscriptionType": "SNS", "Address": {"Ref": "AlarmTopicArn"}}])

    def test_waiting_scenes_ring_before_the_runs_that_wait_time_out(self):
        alarm = self.properties("RenderHintsAgeAlarm")
        rings = alarm["Threshold"] + alarm["EvaluationPeriods"] * alarm["Period"]
        self.assertLess(rings, TEMPLATE.parameters()["ProcessingTimeoutSeconds"]["Default"])

    def test_each_alarm_tells_people_when_it_is_over(self):
        for name, resource in TEMPLATE.resources().items():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                self.assertEqual(resource["Properties"]["OKActions"], resource["Properties"]["AlarmActions"], name)

    def test_quiet_hours_mute_only_what_waits(self):
        rule = self.properties("QuietHoursRule")
        muted = {one["Ref"] for one in rule["MuteTargets"]["AlarmNames"]}
        waits = {"DeadLettersAlarm", "FailuresAlarm", "LiveHintsAgeAlarm", "SlowRendersAlarm"}
        self.assertEqual(muted, waits)
        for name in muted:
            self.assertEqual(TEMPLATE.resources()[name]["Condition"], "HasAlarms", "it exists when its rule does")
            self.assertIn(f"`{name}`", INDEX)

    def test_the_times_of_quiet_hours_have_the_form_of_mute_rules(self):
        parameters = TEMPLATE.parameters()
        good = {"QuietHours": ["", "cron(0 22 * * *)", "cron(30 18 * * MON-FRI)"], "QuietTime": ["PT8H", "P2DT12H", "PT90M", "P1D", "PT8H30M"],
                "QuietZone": ["UTC", "Europe/Paris", "Etc/GMT+2"]}
        bad = {"QuietHours": ["22:00", "cron()", "rate(1 day)", "cron(0 22)", "cron(0 22 * * * *)", "cron(a 22 * * *)"],
               "QuietTime": ["8", "PT8S", "8H", "P", "PT", "P1DT", "PT0H", "P0D"], "QuietZone": ["", "Paris time"]}
        for name in good:
            pattern = re.compile(parameters[name]["AllowedPattern"])
            self.assertTrue(all(pattern.fullmatch(text) for text in good[name]), name)
            self.assertFalse(any(pattern.fullmatch(text) for text in bad[name]), name)


class Queries(unittest.TestCase):
    QUERIES = TEMPLATE.data["Mappings"]["SavedQueries"]

    def test_there_are_ten_and_each_is_one_of_the_template(self):
        made = [r["Properties"] for r in TEMPLATE.resources().values() if r["Type"] == "AWS::Logs::QueryDefinition"]
        self.assertEqual((len(self.QUERIES), len(made)), (10, 10))
        for row in self.QUERIES.values():
            self.assertIn(f"saved '{row['Name']}'", INDEX)
        # All log groups of the stack, of which StartQuery takes 50.
        groups = {name for name, r in TEMPLATE.resources().items() if r["Type"] == "AWS::Logs::LogGroup"}
        named = {name for one in made[0]["LogGroupNames"] for name in re.findall(r"'Ref': '(\w+Logs)'", str(one))}
        self.assertEqual(named, groups)

    def test_each_is_one_that_the_tests_evaluate(self):
        for name, row in self.QUERIES.items():
            insights.run(row["Query"], [insights.record_of("{}")])
            self.assertIsInstance(insights.fields_of(row["Query"]), set, name)

    def test_each_field_and_sentence_is_written(self):
        lines = []
        for path in [*(ROOT / "shared").rglob("*.rs"), *(ROOT / "functions").rglob("*.rs")]:
            lines += re.findall(r"tracing::(?:error|warn|info|error_span)!\((.*?)\);", path.read_text(encoding="utf-8"), re.DOTALL)
        written = "\n".join(lines)
        access = json.dumps(TEMPLATE.resources()["Api"]["Properties"]["AccessLogSettings"]["Format"])
        for name, row in self.QUERIES.items():
            for field in insights.fields_of(row["Query"]) - FOREIGN:
                there = re.search(rf"\b{field}\b", written) or f'"{field}\\"' in access.replace('\\"', '"') or f'\\"{field}\\"' in access
                self.assertTrue(there, f"{name}: no line has the field `{field}`")
            for sentence in re.findall(r"message = '([^']+)'", row["Query"]):
                self.assertIn(f'"{sentence}"', written, name)


class Insights(unittest.TestCase):
    LINES = [
        {"level": "ERROR", "message": "it failed", "n": 3, "span": {"request_id": "r1"}, "audit": True},
        {"level": "INFO", "message": "it ran", "n": 5, "ids": "a b"},
        {"level": "INFO", "message": "it ran", "n": 9},
    ]

    def rows(self, query):
        return insights.run(query, [insights.record_of(json.dumps(line)) for line in self.LINES])

    def test_filters(self):
        for condition, found in {
            "level = 'ERROR'": [3],
            "level != 'ERROR' and n > 5": [9],
            "n < 4 or ids like 'b'": [3, 5],
            "not (n = 5 or n = 9)": [3],
            "message like /r.n/": [5, 9],
            "ispresent(audit)": [3],
            "span.request_id = 'r1'": [3],
            "missing = 'x'": [],
        }.items():
            self.assertEqual([row["n"] for row in self.rows(f"filter {condition}")], found, condition)

    def test_totals_sorting_and_limits(self):
        rows = self.rows("stats count(*) as lines, avg(n) as mean, max(n) as most by level | sort lines desc | limit 1")
        self.assertEqual(rows, [{"level": "INFO", "lines": 2, "mean": 7, "most": 9}])
        self.assertEqual(self.rows("filter n > 3 | fields n | sort n desc"), [{"n": 9}, {"n": 5}])

    def test_a_query_that_is_not_understood_is_an_error(self):
        for query in ("parse @message 'x'", "filter n ~ 3", "stats median(n) as m", "filter (n = 3"):
            with self.assertRaises(insights.Unknown, msg=query):
                self.rows(query)


if __name__ == "__main__":
    unittest.main()
