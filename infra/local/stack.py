"""Works on a deployed stack for `cargo xtask`: the local one where AWS_ENDPOINT_URL is set, else one on AWS.

Results are JSON on standard output; progress and problems are sentences on standard error.
"""

import argparse
import json
import os
import pathlib
import sys

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from commands import (
    catalog,
    deploy,
    functions,
    layer,
    preflight,
    queues,
    recording,
    retained,
    samconfig,
    secrets,
    smoke,
)
from commands.cloud import Problem, Stack, is_local, say, visible

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parser():
    root = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root.add_argument("--stack", default="reelhook", help="the stack's name")
    root.add_argument("--template", default=ROOT / "template.yaml", help="the SAM template")
    commands = root.add_subparsers(dest="command", required=True)

    def command(name, run, help):
        made = commands.add_parser(name, help=help)
        made.set_defaults(run=run)
        return made

    made = command(
        "deploy", run_deploy, "create or update the stack (local only); parameters are JSON on standard input"
    )
    made.add_argument("--binaries", default=ROOT / "target" / "debug", help="where the functions' binaries are")
    made.add_argument("--cache", default=ROOT / ".local" / "artifacts", help="where their zips are kept")
    made = command("secrets", run_secrets, "store {NAME: value} from standard input in SSM; null keeps or generates")
    made.add_argument("--path", required=True, help="for example /reelhook/prod")
    made.add_argument("--show", action="store_true", help="print the values")
    made = command("invoke", run_invoke, "call a function with an event")
    made.add_argument("function", help="a crate's name, a logical id or a deployed name")
    made.add_argument("event", help="a JSON file, or - for standard input")
    made = command("repair", run_repair, "make what a lost stream never made")
    made.add_argument("--since-ms", type=int, required=True, help="Unix milliseconds")
    made = command("catalog", lambda stack, given: catalog.load(stack, given.file), "load movies into the catalogue")
    made.add_argument("file", help="JSON or CSV, as infra/catalog/README.md says")
    made = command("preflight", run_preflight, "say what stands in the way of a deployment")
    made.add_argument("--config-env", default="default", help="the environment of samconfig.toml")
    made.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="one of the template")
    made = command("layer", run_layer, "publish the render function's layer, which infra/layer.sh built")
    made.add_argument("file", help="the zip")
    made.add_argument("--arch", required=True, choices=["arm64", "x86_64"], help="the processor that it is for")
    made.add_argument("--name", default="reelhook-render", help="the layer's name")
    made.add_argument("--bucket", help="a bucket that it goes through; SAM's, or one for the time, where none is named")
    made = command("retained", run_retained, "find what a deleted stack left, to import it into a new one")
    made.add_argument("--resource", action="append", default=[], metavar="NAME=ID", help="one of it, where it is not found")
    made.add_argument("--directory", default=ROOT / ".local" / "retained", help="where the files go")
    command("env", lambda stack, _: functions.configuration(stack), "what each function is configured with")
    command("queues", lambda stack, _: queues.depths(stack), "how much waits in each queue")
    command("redrive", lambda stack, _: queues.redrive(stack), "move dead letters back to their queues")
    command("outputs", lambda stack, _: stack.outputs(), "the stack's outputs")
    made = command("record", run_record, "play every kind of job, and keep the whole state of the stack (local only)")
    made.add_argument("directory", help="where the recording goes")
    made.add_argument("--version", required=True, help="the version that is recorded")
    made.add_argument("--run-file", required=True, help="the instance's run.json")
    made = command("restore", run_restore, "put a recording into an empty stack, moved to the present (local only)")
    made.add_argument("directory", help="where the recording is")
    command("smoke", run_smoke, "call the API; the key is in REELHOOK_API_KEY")
    return root


def run_deploy(stack, arguments):
    if not is_local():
        raise Problem("deploy is for the local emulator (AWS_ENDPOINT_URL is not set): on AWS use `sam deploy`")
    return deploy.deploy(stack, arguments.binaries, arguments.cache, json.load(sys.stdin))


def run_secrets(stack, arguments):
    return secrets.put(arguments.path, json.load(sys.stdin), arguments.show)


def run_invoke(stack, arguments):
    event = sys.stdin.read() if arguments.event == "-" else pathlib.Path(arguments.event).read_text(encoding="utf-8")
    return functions.invoke(stack, arguments.function, event)


def run_repair(stack, arguments):
    return functions.repair(stack, arguments.since_ms, say)


def run_record(stack, arguments):
    run = json.loads(pathlib.Path(arguments.run_file).read_text(encoding="utf-8"))
    return recording.record(stack, arguments.directory, arguments.version, run)


def run_restore(stack, arguments):
    return recording.restore(stack, arguments.directory)


def run_preflight(stack, arguments):
    return preflight.preflight(stack, ROOT, arguments.config_env, samconfig.pairs(arguments.parameter))


def run_layer(stack, arguments):
    return layer.publish(stack, arguments.file, arguments.arch, arguments.name, arguments.bucket)


def run_retained(stack, arguments):
    return retained.retained(stack, samconfig.pairs(arguments.resource), arguments.directory)


def run_smoke(stack, arguments):
    return smoke.smoke(stack, os.environ["REELHOOK_API_KEY"])


def main():
    arguments = parser().parse_args()
    try:
        result = arguments.run(Stack(arguments.stack, arguments.template), arguments)
    except Problem as problem:
        sys.exit(visible(str(problem), kept="\n"))
    except EndpointConnectionError as error:
        sys.exit(visible(f"nothing answers: {error}") + (" Is the stack up? Run `cargo xtask up`." if is_local() else ""))
    except NoCredentialsError:
        sys.exit("there are no AWS credentials: run `aws configure`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID")
    except NoRegionError:
        sys.exit("there is no AWS region: set AWS_DEFAULT_REGION, which `sam` and `aws` read too")
    except OSError as error:
        sys.exit(visible(f"{error.filename}: {error.strerror}" if error.filename else str(error)))
    except (ClientError, BotoCoreError) as error:
        sys.exit(visible(str(error), kept="\n"))
    print(visible(json.dumps(result, ensure_ascii=False)))


if __name__ == "__main__":
    main()
