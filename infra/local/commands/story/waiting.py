"""What an aggregate waits for now: its start, its pieces, and tasks at outside services."""

from commands.story.entries import iso


def claims(body):
    """The claim of a start that a launcher holds, or the time of the next start."""
    start = body.get("start", {})
    if body.get("status") != "pending" or not start:
        return []
    if claim := start.get("claim"):
        return [{"what": "start", "text": f"a launcher has claimed it until {iso(claim['lease_until'])}, slot {claim['slot']}"}]
    refused = f", after {start['failures']} starts that the worker did not accept" if start.get("failures") else ""
    return [{"what": "start", "text": f"it may start from {iso(start['ready_at'])}{refused}"}]


def pieces(body):
    """Each piece of the present stage that is not done."""
    stored = body.get("drawing") or body.get("pieces") or {}
    stage, listed = stored.get("stage", ""), stored.get("pieces") or stored.get("list") or []
    open_ones = [(number, piece) for number, piece in enumerate(listed) if not piece.get("done")]
    if len(open_ones) < len(listed):
        done = len(listed) - len(open_ones)
        found = [{"what": "pieces", "text": f"{done} of {len(listed)} are done" + (f" ({stage})" if stage else "")}] if open_ones else []
    else:
        found = []
    return found + [{"what": f"piece {number}", "text": piece_words(piece)} for number, piece in open_ones]


def piece_words(piece):
    claim = piece.get("claim")
    number = claim and claim.get("number", claim.get("no"))
    state = f"claim {number} has it until {iso(claim['lease_until'])}" if claim else "open"
    if not claim and piece.get("ready_at"):
        state = f"open from {iso(piece['ready_at'])}"
    crashes = f", {piece['crashes']} crashes" if piece.get("crashes") else ""
    work = work_words(piece.get("work"))
    return f"{work}: {state}{crashes}" if work else f"{state}{crashes}"


def work_words(work):
    """The work of a piece of a project or a clip job, such as `last frame (scene scene_1, attempt 2)`; empty for others."""
    if isinstance(work, str):
        return work.replace("_", " ")
    if not isinstance(work, dict) or len(work) != 1:
        return ""
    [(name, facts)] = work.items()
    told = ", ".join(f"{fact} {value}" for fact, value in facts.items()) if isinstance(facts, dict) else ""
    return name.replace("_", " ") + (f" ({told})" if told else "")


def tasks(body):
    """Each task at an outside service, with the service's id for it as far as it is known."""
    found = []
    if body.get("worker_id"):
        found.append({"what": "worker", "id": body["worker_id"], "text": f"the worker calls it {body['worker_id']}"})
    if body.get("render_id"):
        polls, status = body.get("render"), body.get("render_status")
        state = f", last {status}" if isinstance(status, str) else ""
        next_poll = f", polled {polls['checks']} times, next at {iso(polls['next_at'])}" if polls else ""
        found.append({"what": "render", "id": body["render_id"], "text": f"render {body['render_id']}{state}{next_poll}"})
    for number, piece in enumerate((body.get("drawing") or {}).get("pieces", [])):
        if piece.get("render"):
            found.append({"what": f"piece {number}", "id": piece["render"], "text": f"render {piece['render']}"})
    for scene in body.get("scenes", []):
        state = scene.get("state")
        if isinstance(state, dict):
            [(stage, task)] = state.items()
            found.append(task_of(f"scene {scene['id']}", "video" if stage == "generating" else "last frame", task))
    for number, node in enumerate((body.get("stitch") or {}).get("nodes", [])):
        if node.get("task"):
            found.append(task_of(f"stitch {number}", "joined video", node["task"]))
    engine = body.get("run", {}).get("engine", {})
    if "worker" in engine and engine["worker"].get("state") != "ended":
        found.append(task_of("clips", f"submission {engine['worker'].get('no')}", engine["worker"]))
    return found


def task_of(what, made, task):
    """A task, or a run at the clipping worker: both have a state."""
    state = task.get("state")
    name, facts = next(iter(state.items())) if isinstance(state, dict) else (state, {})
    words = {
        "waiting": lambda: f"{made} is submitted from {iso(facts['ready_at'])}",
        "submitting": lambda: f"{made} is being submitted, lease until {iso(facts['lease_until'])}",
        "unclear": lambda: f"{made}: the answer to its submission was lost, looked up {facts.get('lookups', 0)} times",
        "submitted": lambda: f"{made} is task {facts['id']}, polled {facts.get('polls', 0)} times, next at {iso(facts['next_at'])}",
        "own": lambda: f"{made} is made by our renderers",
    }
    text = words[name]() if name in words else f"{made}: {name}"
    deadline = f", deadline {iso(task['deadline'])}" if task.get("deadline") else ""
    return {"what": what, "id": facts.get("id"), "text": text + deadline}
