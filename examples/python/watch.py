"""Joins a room and prints what happens: python watch.py URL ROOM TOKEN

Needs python-socketio: pip install "python-socketio[client]"
"""

import json
import signal
import sys

import socketio

NAMESPACE = "/study"
url, room, token = sys.argv[1:]
client = socketio.Client()  # It reconnects by itself.
resume_token = None


@client.on("connect", namespace=NAMESPACE)
def enter():
    """Enters the room: after a reconnect in place of the old connection, so that the others see nothing."""
    payload = {"groupId": room}
    if resume_token:
        payload["resumeToken"] = resume_token
    # Nothing may wait here, because the thread that calls this reads the answer.
    client.emit("room:join", payload, namespace=NAMESPACE, callback=entered)


def entered(ack):
    global resume_token
    if not ack["success"]:
        print(f"refused: {ack['code']}: {ack['message']}", flush=True)
        return client.disconnect()
    resume_token = ack["data"]["resumeToken"]
    names = [member["userName"] for member in ack["data"].get("members", [])]
    print(f"in {room} with {', '.join(names)}", flush=True)


@client.on("*", namespace=NAMESPACE)
def show(event, data):
    print(event, json.dumps(data, ensure_ascii=False), flush=True)


def leave(*_):
    client.emit("room:leave", {}, namespace=NAMESPACE, callback=lambda _: client.disconnect())


signal.signal(signal.SIGTERM, leave)
client.connect(url, namespaces=[NAMESPACE], auth={"token": token})
client.wait()
