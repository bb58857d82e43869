"""A whole agent in little: speaks the Agent Client Protocol, and asks a model over Chat Completions what to do.

``python loopback_agent.py``; with ``idle`` it never asks its model, with ``breaks`` it says why it cannot work.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

TOOLS = {"read_file": ("path",), "write_file": ("path", "content"), "bash": ("command",)}


def send(**frame):
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)


def say(text):
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    send(method="session/update", params={"sessionId": "one", "update": update})


def ask(messages):
    """Ask the model, and return its message."""
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"properties": {key: {} for key in fields}}}}
        for name, fields in TOOLS.items()
    ]
    request = urllib.request.Request(
        f"{os.environ['OPENAI_BASE_URL']}/chat/completions",
        json.dumps({"model": "gpt-5.5", "messages": messages, "tools": tools}).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["choices"][0]["message"]


def use(call):
    """Do what a call of a tool asks for, and return what came of it."""
    given = json.loads(call["arguments"])
    if call["name"] == "bash":
        done = subprocess.run(given["command"], shell=True, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr
    path = Path(given["path"])
    if call["name"] == "write_file":
        path.write_text(given["content"])
        return "written"
    return path.read_text()


def work(prompt):
    """Have one turn."""
    messages = [{"role": "user", "content": prompt}]
    while calls := (message := ask(messages)).get("tool_calls"):
        messages.append(message)
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": use(call["function"])} for call in calls]
    say(message["content"])


for line in sys.stdin:
    frame = json.loads(line)
    result = {}
    if frame["method"] == "initialize":
        result = {"protocolVersion": 1, "agentCapabilities": {}}
    elif frame["method"] == "session/new":
        result = {"sessionId": "one"}
    elif frame["method"] == "session/prompt":
        if sys.argv[1:] == ["breaks"]:
            say("My batteries are empty.")
            sys.exit(3)
        elif sys.argv[1:] == ["idle"]:
            say("I would rather not.")
        else:
            work(frame["params"]["prompt"][0]["text"])
        result = {"stopReason": "end_turn"}
    send(id=frame["id"], result=result)
