"""Commands of `cargo xtask` on a deployed stack: a local one if AWS_ENDPOINT_URL is set, else one on AWS.

Results are JSON on standard output; progress and problems are printed on standard error.
"""

import argparse
import datetime
import json
import os
import pathlib
import sys

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from commands import (
    backup,
    catalog,
    dashboard,
    deploy,
    doctor,
    functions,
    layer,
    owner_delete,
    owner_export,
    preflight,
    queues,
    recording,
    release,
    retained,
    samconfig,
    secrets,
    show,
    smoke,
    soak,
    story,
)
from commands.cloud import Problem, Stack, is_local, say, visible

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parser():
    root = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root.add_argument("--stack", default="reelhook", help="name of the stack")
    root.add_argument("--template", default=ROOT / "template.yaml", help="SAM template")
    commands = root.add_subparsers(dest="command", required=True)

    def command(name, run, help):
        added = commands.add_parser(name, help=help)
        added.set_defaults(run=run)
        return added

    options = command(
        "deploy", run_deploy, "create or update the stack (local only); parameters are JSON on standard input"
    )
    options.add_argument("--binaries", default=ROOT / "target" / "debug", help="directory with the functions' binaries")
    options.add_argument("--cache", default=ROOT / ".local" / "artifacts", help="directory for their zips")
    options = command("secrets", run_secrets, "store {NAME: value} from standard input in SSM; null keeps or generates a value")
    options.add_argument("--path", required=True, help="path in SSM, for example /reelhook/prod")
    options.add_argument("--show", action="store_true", help="print the values")
    options = command("invoke", run_invoke, "invoke a function with an event")
    options.add_argument("function", help="crate name, logical id or deployed name")
    options.add_argument("event", help="JSON file, or - for standard input")
    options = command("repair", run_repair, "create the deliveries of lost stream records")
    options.add_argument("--since-ms", type=int, required=True, help="how far back to look, as Unix milliseconds")
    options = command("catalog", lambda stack, given: catalog.load(stack, given.file), "import movies into the catalogue")
    options.add_argument("file", help="JSON or CSV file, as described in infra/catalog/README.md")
    options = command("preflight", run_preflight, "check whether a deployment would succeed")
    options.add_argument("--config-env", default="default", help="environment of samconfig.toml")
    options.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="parameter of the template")
    options = command("doctor", run_doctor, "examine a deployed stack, and say what to do")
    options.add_argument("--config-env", default="default", help="environment of samconfig.toml")
    options = command("release", run_release, "write a template for a release that shifts gradually")
    options.add_argument("--config-env", default="default", help="environment of samconfig.toml")
    options.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="parameter of the template")
    options.add_argument("--shift", required=True, choices=release.SHIFTS, help="how traffic moves to the new version")
    options.add_argument("--file", default=ROOT / "release.json", help="the file to write, beside template.yaml")
    options = command("layer", run_layer, "publish the layer of the render function, built by infra/layer.sh")
    options.add_argument("file", help="zip of the layer")
    options.add_argument("--arch", required=True, choices=["arm64", "x86_64"], help="processor architecture of the layer")
    options.add_argument("--name", default="reelhook-render", help="name of the layer")
    options.add_argument("--bucket", help="bucket for the upload; by default SAM's bucket, or a temporary one")
    options = command("retained", run_retained, "find the resources that a deleted stack retained, to import them into a new one")
    options.add_argument("--resource", action="append", default=[], metavar="NAME=ID", help="resource that is not found automatically")
    options.add_argument("--directory", default=ROOT / ".local" / "retained", help="directory for the files")
    options = command("show", lambda stack, given: show.show(stack, given.key), "print any item of any table, readable")
    options.add_argument("key", help="TABLE/PARTITION, TABLE/PARTITION/SORT, or an id")
    options = command("story", run_story, "print what happened to a job, a project, a clip job or a delivery")
    options.add_argument("id", help="id of a job, a project or a clip job")
    options.add_argument("--delivery", action="store_true", help="the id is that of a delivery")
    options.add_argument("--function-log", help="log of the functions (local only)")
    command("env", lambda stack, _: functions.configuration(stack), "print the configuration of each function")
    command("queues", lambda stack, _: queues.depths(stack), "print the depth of each queue")
    options = command("redrive", run_redrive, "move dead letters back to their source queues")
    options.add_argument("--refused", action="store_true", help="send what the job inbox refused to it again, instead")
    command("outputs", lambda stack, _: stack.outputs(), "print the outputs of the stack")
    options = command("dashboard", lambda stack, given: dashboard.draw(stack, given.file, given.hours), "draw the dashboard's numbers")
    options.add_argument("file", help="the picture, an SVG")
    options.add_argument("--hours", type=float, default=3, help="how many hours to look back")
    options = command("record", run_record, "run every kind of job, and store the whole state of the stack in files (local only)")
    options.add_argument("directory", help="directory for the recording")
    options.add_argument("--version", required=True, help="recorded version")
    options.add_argument("--run-file", required=True, help="run.json of the instance")
    options = command("replay", run_replay, "restore a recording into an empty stack, with its times moved to now (local only)")
    options.add_argument("directory", help="directory of the recording")
    options = command("backup", run_backup, "copy tables and objects into a directory")
    options.add_argument("directory", help="new directory for the backup")
    options.add_argument("--at", type=datetime.datetime.fromisoformat, help="time of the copy, such as 2026-01-31T12:00:00Z")
    options.add_argument("--without-files", action="store_true", help="leave out the objects")
    options = command("restore", run_restore, "copy a backup into a new stack")
    options.add_argument("directory", help="directory of the backup")
    options = command("owner-export", run_owner_export, "write everything of an owner into a zip")
    options.add_argument("owner", help="id of the owner, the `sub` of their tokens")
    options.add_argument("file", help="new file")
    options.add_argument("--files", action="store_true", help="include the files, instead of links to them")
    options = command("owner-delete", run_owner_delete, "count everything of an owner, or delete it if confirmed")
    options.add_argument("owner", help="id of the owner, the `sub` of their tokens")
    options.add_argument("--confirm", help="the owner's id again, which deletes")
    options.add_argument("--quiet-seconds", type=int, default=60, help="how long nothing of the owner may have changed")
    command("soak", run_soak, "count the rows of each table, and delete those whose time a soak test lets pass (local only)")
    command("smoke", run_smoke, "run the smoke test; the API key is in REELHOOK_API_KEY")
    return root


def run_deploy(stack, arguments):
    if not is_local():
        raise Problem("`deploy` works only on the local emulator, but AWS_ENDPOINT_URL is not set: on AWS use `sam deploy`")
    return deploy.deploy(stack, arguments.binaries, arguments.cache, json.load(sys.stdin))


def run_secrets(stack, arguments):
    return secrets.put(arguments.path, json.load(sys.stdin), arguments.show)


def run_invoke(stack, arguments):
    event = sys.stdin.read() if arguments.event == "-" else pathlib.Path(arguments.event).read_text(encoding="utf-8")
    return functions.invoke(stack, arguments.function, event)


def run_redrive(stack, arguments):
    return queues.redrive_refused(stack) if arguments.refused else queues.redrive(stack)


def run_repair(stack, arguments):
    return functions.repair(stack, arguments.since_ms, say)


def run_story(stack, arguments):
    tell = story.delivery_story if arguments.delivery else story.story
    return tell(stack, arguments.id, arguments.function_log)


def run_record(stack, arguments):
    run = json.loads(pathlib.Path(arguments.run_file).read_text(encoding="utf-8"))
    return recording.record(stack, arguments.directory, arguments.version, run)


def run_replay(stack, arguments):
    return recording.restore(stack, arguments.directory)


def run_backup(stack, arguments):
    return backup.backup(stack, arguments.directory, arguments.at, not arguments.without_files)


def run_restore(stack, arguments):
    return backup.restore(stack, arguments.directory)


def run_owner_export(stack, arguments):
    return owner_export.export(stack, arguments.owner, arguments.file, arguments.files)


def run_owner_delete(stack, arguments):
    return owner_delete.delete(stack, arguments.owner, arguments.confirm, arguments.quiet_seconds)


def run_preflight(stack, arguments):
    return preflight.preflight(stack, ROOT, arguments.config_env, samconfig.pairs(arguments.parameter))


def run_doctor(stack, arguments):
    return doctor.doctor(stack, ROOT, arguments.config_env)


def run_release(stack, arguments):
    given = samconfig.pairs(arguments.parameter)
    return release.release(preflight.Deployment(stack, ROOT, arguments.config_env, given), arguments.shift, arguments.file)


def run_layer(stack, arguments):
    return layer.publish(stack, arguments.file, arguments.arch, arguments.name, arguments.bucket)


def run_retained(stack, arguments):
    return retained.retained(stack, samconfig.pairs(arguments.resource), arguments.directory)


def run_soak(stack, arguments):
    return soak.sample(stack, json.load(sys.stdin))


def run_smoke(stack, arguments):
    return smoke.smoke(stack, os.environ["REELHOOK_API_KEY"])


def main():
    arguments = parser().parse_args()
    try:
        result = arguments.run(Stack(arguments.stack, arguments.template), arguments)
    except Problem as problem:
        sys.exit(visible(str(problem), kept="\n"))
    except EndpointConnectionError as error:
        sys.exit(visible(f"no answer: {error}") + (" Is the stack running? Start it with `cargo xtask up`." if is_local() else ""))
    except NoCredentialsError:
        sys.exit("no AWS credentials: run `aws configure`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID")
    except NoRegionError:
        sys.exit("no AWS region: set AWS_DEFAULT_REGION, which `sam` and `aws` read as well")
    except OSError as error:
        sys.exit(visible(f"{error.filename}: {error.strerror}" if error.filename else str(error)))
    except (ClientError, BotoCoreError) as error:
        sys.exit(visible(str(error), kept="\n"))
    print(visible(json.dumps(result, ensure_ascii=False)))


if __name__ == "__main__":
    main()
