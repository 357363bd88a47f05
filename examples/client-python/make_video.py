"""Makes a video and saves it: `API=… KEY=… python3 make_video.py US netflix Horror`, or with a film of scenes:
`python3 make_video.py film.json`. `--poll` asks for the job's state instead of following its events."""

import json
import os
import sys
import uuid

from reelhook import Reelhook

client = Reelhook(os.environ["API"], os.environ["KEY"])
arguments = [argument for argument in sys.argv[1:] if argument != "--poll"]
# A real client stores the key with its order before it sends the request: after a crash it sends the same one again.
idempotency_key = str(uuid.uuid4())

if len(arguments) == 1:
    with open(arguments[0], encoding="utf-8") as file:
        id = client.submit_video(json.load(file), idempotency_key)
elif len(arguments) == 3:
    country, platform, genre = arguments
    id = client.submit_job({"country": country, "platform": platform, "genre": genre}, idempotency_key)
else:
    sys.exit(__doc__)

print(id)
changes = client.poll(id) if "--poll" in sys.argv else client.watch(id)
for found in changes:
    print(f"{found.progress:3} % {found.current_step}", flush=True)

job = client.job(id)
if job.status != "completed":
    sys.exit(f"{job.status}: {job.error}")
client.download(job, f"{id}.mp4")
print(f"saved {id}.mp4")
