"""The entries of what was made for a project: a take for each video of a scene, by a task that has ended, and the video."""

from commands.story.entries import entry


def entries(body):
    found = [of_take(scene, take) for scene in body.get("scenes", []) for take in taken(scene)]
    # The video of a job is a text; its log says when it was there.
    video = body.get("video")
    if isinstance(video, dict) and video.get("at"):
        found.append(entry(video["at"], "task", "The scenes are joined: the video of the project is there", "success"))
    return found


def of_take(scene, take):
    by = f"task {take['task']}" if take.get("task") else "our renderers"
    text = f"Scene {scene['id']}, attempt {take['attempt']}: the video is there, made by {by}"
    return entry(take["at"], "task", text, "success", scene_id=scene["id"], task_id=take.get("task"))


def tasks(body):
    """What outside services called the tasks that made takes."""
    return [take["task"] for scene in body.get("scenes", []) for take in taken(scene) if take.get("task")]


def taken(scene):
    return scene.get("takes", []) if isinstance(scene, dict) else []
