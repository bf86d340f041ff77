"""A client in Python: python client.py <url> <namespace> <token> <room> <transports, with commas>

Joins the room, prints each event as a line of JSON, and leaves at SIGTERM.
"""

import json
import signal
import sys

import socketio

# Before any thread starts, so that only the last lines get the signal.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
url, namespace, token, room, transports = sys.argv[1:]
client = socketio.Client(reconnection=False)


def show(event, data):
    print(json.dumps({"event": event, "data": data}), flush=True)


@client.on("*", namespace=namespace)
def receive(event, data):
    show(event, data)


@client.on("disconnect", namespace=namespace)
def ended(reason=None):
    show("disconnect", reason)


client.connect(url, namespaces=[namespace], auth={"token": token}, transports=transports.split(","))
show("ack", client.call("room:join", {"groupId": room}, namespace=namespace))
show("transport", client.transport())
signal.sigwait({signal.SIGTERM})
show("ack", client.call("room:leave", {}, namespace=namespace))
client.disconnect()
