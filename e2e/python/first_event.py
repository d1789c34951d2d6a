"""Does with the official library for Python what a newcomer tries first.

Usage: first_event.py HOST PORT APP_ID KEY SECRET MASTER_KEY

The app id is given to the library as it is. Prints what the library returned.
"""

import json
import sys

import pusher

host, port, app_id, key, secret, master = sys.argv[1:]
client = pusher.Pusher(
    app_id=app_id, key=key, secret=secret, host=host, port=int(port), ssl=False,
    encryption_master_key_base64=master,
)
for channel in ("my-channel", "private-encrypted-diary"):
    client.trigger(channel, "my-event", {"text": "hi"})
print(json.dumps({
    "channels": client.channels_info(attributes=[]),
    "count": client.channel_info("my-channel", ["subscription_count"]),
    "member": client.authenticate("presence-room", "1.2", {"user_id": "ann"}),
}))
