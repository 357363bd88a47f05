"""The entries of the errors inbox: which errors may be about a subject, and what happened to each (ADR 44)."""

import hashlib

from commands.story.entries import entry

# Causes of errors about a project, about one of its scenes, and about a clip job (shared/domain/src/errors/cause.rs). None is
# about a job: its log has its errors.
OF_PROJECTS = [
    "stitch_failed", "submission_unclear", "next_scene_blocked", "copy_failed", "notification_failed", "unknown_scene",
    "ids_disagree", "project_completed",
]
OF_SCENES = ["video_failed", "frame_failed", "submission_unclear", "copy_failed", "unknown_scene", "ids_disagree"]
OF_CLIP_JOBS = ["clips_failed", "clip_file_unusable", "unknown_clip_job"]
# The first character of a rank is its class (`class` in shared/app/src/errors/store.rs).
LEVELS = {"0": "error", "1": "error", "2": "warning"}


def keys(subject):
    """The keys of the errors that may be about a job, a project or a clip job: each cause has one error about one thing."""
    name = subject.item["id"]
    if subject.kind == "clip job":
        abouts = [(cause, name.removeprefix("clip_")) for cause in OF_CLIP_JOBS]
    elif subject.kind == "project":
        abouts = [(cause, name) for cause in OF_PROJECTS]
        abouts += [(cause, f"{name}/{scene}") for scene in subject.scenes for cause in OF_SCENES]
    else:
        abouts = []
    return [group(cause, about) for cause, about in abouts]


def group(cause, about):
    """As `group` in shared/app/src/errors/store.rs."""
    return hashlib.sha256(f"{cause}\n{about}".encode()).hexdigest()


def tasks(rows):
    """The tasks at outside services that errors name: they have ended."""
    return [row["body"]["context"]["task_id"] for row in rows if row["body"].get("context", {}).get("task_id")]


def entries(rows):
    return [one for row in rows for one in of_error(row)]


def of_error(row):
    """When an error was raised first and last, resolved and dismissed. It has the sentence and the facts of its newest raise."""
    body = row["body"]
    level, about = LEVELS.get(row.get("rank", "")[:1], "info"), {"error_id": body["id"], "cause": body["cause"]}
    times = body["occurrences"]
    again = f", raised {times} times since {body['id']} was opened" if times > 1 else ""
    found = [entry(body["last_seen"], "error", body["message"] + again, level, **about, details=body.get("context"))]
    if times > 1:
        found.insert(0, entry(body["first_seen"], "error", f"{words(body)} was raised for the first time", level, **about))
    if body.get("resolved_at"):
        found.append(entry(body["resolved_at"], "error", f"{words(body)} was resolved: its cause has ended", "success", **about))
    if body.get("dismissed_at"):
        found.append(entry(body["dismissed_at"], "error", f"{words(body)} was dismissed", **about))
    return found


def words(body):
    return f"The error {body['cause']} about {body['about']}"
