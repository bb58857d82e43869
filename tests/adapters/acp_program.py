"""Agents made with the official SDK of the Agent Client Protocol, one for each way in which agents behave.

Started as ``python acp_program.py BEHAVIOUR``; a behaviour is a coroutine that has one turn. What the SDK refuses to
send, real agents have sent nevertheless: that is written to standard output as it is.
"""

# ruff: noqa: ASYNC110, ASYNC240  # they look at files that a test makes meanwhile

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from acp import PROTOCOL_VERSION, Agent, RequestError, run_agent
from acp.helpers import (
    plan_entry,
    start_tool_call,
    text_block,
    tool_content,
    tool_diff_content,
    update_agent_message_text,
    update_agent_thought_text,
    update_plan,
    update_tool_call,
)
from acp.schema import (
    AgentCapabilities,
    Cost,
    InitializeResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
    SessionMode,
    SessionModeState,
    ToolCallUpdate,
    Usage,
    UsageUpdate,
)

MODES = SessionModeState(
    current_mode_id="ask", available_modes=[SessionMode(id="ask", name="Ask"), SessionMode(id="free", name="Free")]
)
OPTIONS = [
    PermissionOption(option_id="always", name="Always", kind="allow_always"),
    PermissionOption(option_id="once", name="Once", kind="allow_once"),
    PermissionOption(option_id="no", name="No", kind="reject_once"),
]


class Scripted(Agent):
    """Answers the handshake, and leaves each turn to its behaviour."""

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.turn = 0
        self.cancelled = asyncio.Event()
        self.mode = "ask"
        self.cwd = ""

    def on_connect(self, conn):
        self.client = conn

    async def initialize(self, protocol_version, client_capabilities=None, client_info=None, **kwargs):
        return InitializeResponse(protocol_version=PROTOCOL_VERSION, agent_capabilities=AgentCapabilities())

    async def new_session(self, cwd, additional_directories=None, mcp_servers=None, **kwargs):
        self.cwd = cwd
        return NewSessionResponse(session_id="one", modes=MODES)

    async def set_session_mode(self, session_id, mode_id, **kwargs):
        self.mode = mode_id

    async def cancel(self, session_id, **kwargs):
        self.cancelled.set()

    async def prompt(self, session_id, prompt, **kwargs):
        self.turn += 1
        self.cancelled.clear()
        end = await self.behaviour(self, prompt[0].text)
        return end if isinstance(end, PromptResponse) else PromptResponse(stop_reason=end or "end_turn")

    async def update(self, update):
        await self.client.session_update(session_id="one", update=update)

    async def say(self, text):
        await self.update(update_agent_message_text(text))

    def raw(self, line):
        line = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
        os.set_blocking(1, True)
        while line:
            line = line[os.write(1, line) :]
        os.set_blocking(1, False)

    def raw_update(self, **update):
        self.raw({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "one", "update": update}})


# ---------------------------------------------------------------- behaviours


async def edits(agent, prompt):
    """Reads through the client, edits by itself, tells plan, thought, usage, and is done."""
    await agent.update(update_plan([plan_entry("look", status="completed"), plan_entry("mend", status="in_progress")]))
    await agent.update(update_agent_thought_text("It is the "))
    await agent.update(update_agent_thought_text("sign."))
    path = f"{agent.cwd}/calc.py"
    await agent.update(
        start_tool_call("t1", "Mend calc.py", kind="edit", status="in_progress", raw_input={"file_path": path})
    )
    old = (await agent.client.read_text_file(session_id="one", path=path)).content
    new = old.replace("a - b", "a + b")
    Path(path).write_text(new)
    await agent.update(update_tool_call("t1", status="completed", content=[tool_diff_content(path, new, old)]))
    for piece in ("Mended", " the", " sign."):
        await agent.say(piece)
    await agent.update(
        UsageUpdate(session_update="usage_update", used=900, size=200_000, cost=Cost(amount=0.25, currency="USD"))
    )
    usage = Usage(total_tokens=1200, input_tokens=1000, output_tokens=200, thought_tokens=50, cached_read_tokens=300)
    return PromptResponse(stop_reason="end_turn", usage=usage)


async def writes(agent, prompt):
    """Looks for a file through the client and writes it; tries to write outside as well."""
    said = []
    try:
        await agent.client.read_text_file(session_id="one", path=f"{agent.cwd}/new/made.txt")
    except RequestError as error:
        said.append(str(error))
    await agent.client.write_text_file(session_id="one", path=f"{agent.cwd}/new/made.txt", content="made\n")
    for path in (f"{agent.cwd}/../outside.txt", "/etc/passwd", f"{agent.cwd}/link/x"):
        try:
            await agent.client.write_text_file(session_id="one", path=path, content="x")
        except RequestError as error:
            said.append(str(error))
    try:
        await agent.client.create_terminal(session_id="one", command="true")
    except RequestError as error:
        said.append(str(error))
    await agent.say("\n".join(said))


async def asks(agent, prompt):
    """Asks before it runs a command, and says what it was answered."""
    asked = await agent.client.request_permission(
        session_id="one",
        tool_call=ToolCallUpdate(
            tool_call_id="t1", title="Run the tests", kind="execute", status="pending",
            raw_input={"command": "make test"},
        ),
        options=OPTIONS,
    )  # fmt: skip
    answer = asked.outcome.outcome + ":" + getattr(asked.outcome, "option_id", "")
    if asked.outcome.outcome == "cancelled":
        return "cancelled"
    await agent.update(update_tool_call("t1", status="completed", content=[tool_content(text_block("3 passed"))]))
    await agent.say(answer)
    return None


async def withdraws(agent, prompt):
    """Asks two things, takes the first back, and waits for the answer to the second."""
    for number, command in (("q1", "make install"), ("q2", "make test")):
        call = {"toolCallId": number, "title": command, "kind": "execute", "rawInput": {"command": command}}
        options = [{"optionId": "once", "name": "Once", "kind": "allow_once"}]
        params = {"sessionId": "one", "toolCall": call, "options": options}
        agent.raw({"jsonrpc": "2.0", "id": number, "method": "session/request_permission", "params": params})
    for number in ("q1", "q7"):
        agent.raw({"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": number}})
    while not Path(agent.cwd, "enough").exists():
        await asyncio.sleep(0.02)
    await agent.say("done")


async def waits(agent, prompt):
    """In its first turn works until it is interrupted, then says what it was told."""
    await agent.say(f"turn {agent.turn}: {prompt}")
    if agent.turn == 1:
        await agent.cancelled.wait()
        return "cancelled"
    return None


async def works(agent, prompt):
    """Has a tool call that ends after a second, in which a word might come."""
    if agent.turn == 1:
        await agent.update(start_tool_call("t1", "A long command", kind="execute", status="in_progress"))
        await asyncio.sleep(1)
        await agent.update(update_tool_call("t1", status="completed"))
        await agent.cancelled.wait()
        return "cancelled"
    await agent.say(prompt)
    return None


async def reports(agent, prompt):
    """Works until it is interrupted for a report, and goes on when it may."""
    if "at most ten lines" in prompt:
        await agent.say("I looked around.\nNext I mend it.")
        return "end_turn"
    await agent.say(f"working: {prompt}")
    if agent.turn == 1:
        await agent.cancelled.wait()
        return "cancelled"
    return None


async def deaf(agent, prompt):
    """Never notices that it is cancelled, but ends its turn when a file appears."""
    if agent.turn == 1:
        while not Path(agent.cwd, "enough").exists():
            await asyncio.sleep(0.02)
    await agent.say(f"turn {agent.turn}")


async def declines(agent, prompt):
    await agent.say(
        'The tests contradict each other.\n`{"kind": "declined", "why": "impossible", "text": "2 is not 3"}`'
    )


async def pretends(agent, prompt):
    """Ends a turn as if all were well although its model could not be reached, as one real agent does."""
    agent.raw_update(
        sessionUpdate="session_info_update",
        _meta={"codex": {"threadStatus": {"type": "systemError"}, "error": {"message": "exceeded retry limit, 529"}}},
    )
    await asyncio.sleep(0.05)


async def silent(agent, prompt):
    """Ends its turn without a word."""


async def refuses(agent, prompt):
    await agent.say("I would rather not.")
    return "refusal"


async def breaks(agent, prompt):
    raise RuntimeError("the model cannot be reached")


async def dies(agent, prompt):
    sys.stderr.write("out of luck\n")
    sys.stderr.flush()
    await agent.say("about to")
    await asyncio.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


async def babbles(agent, prompt):
    """Prints what is no frame, updates nobody knows, and updates full of the wrong types."""
    agent.raw(b'Warning: this is a log line\n\n[1, 2]\n{"id": [], "x": 1}\n\xff\xfe\n' + b"[" * 100_000 + b"\n")
    agent.raw_update(sessionUpdate="dream_update", dream="of sheep")
    agent.raw_update(sessionUpdate="dream_update", dream="of more sheep")
    for wrong in (7, None, [], "x", {"sessionUpdate": []}, {"sessionUpdate": "tool_call"},
                  {"sessionUpdate": "tool_call_update", "toolCallId": 7, "content": 7, "locations": [[]], "title": {}},
                  {"sessionUpdate": "plan", "entries": [7, {"content": []}]}, {"sessionUpdate": "plan_update"},
                  {"sessionUpdate": "agent_message_chunk", "content": {"type": "image"}},
                  {"sessionUpdate": "usage_update", "cost": {"amount": -1}},
                  {"sessionUpdate": "usage_update", "cost": {"amount": "1"}}):  # fmt: skip
        agent.raw({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "one", "update": wrong}})
    agent.raw({"jsonrpc": "2.0", "method": "session/update", "params": None})
    agent.raw({"jsonrpc": "2.0", "id": "x", "method": "session/request_permission", "params": {"options": 7}})
    agent.raw({"jsonrpc": "2.0", "id": "y", "method": "fs/read_text_file", "params": {"path": 7}})
    agent.raw({"jsonrpc": "2.0", "id": "z", "method": "_vendor/extension", "params": {}})
    agent.raw(b'{"jsonrpc": "2.0", "method": "x", "params": "' + b"y" * (40 << 20) + b'"}\n')
    await agent.say("still here")


async def shouts(agent, prompt):
    """Writes a megabyte and a half to its standard error before it says anything."""
    sys.stderr.write("e" * 1_500_000 + "the last of it\n")
    sys.stderr.flush()
    await agent.say("done shouting")


async def starts_late(agent, prompt):
    """Never says that a call begins, only how it goes on; tells output and tokens its own ways, as real agents do."""
    meta = {"terminal_output_delta": {"data": "1 failed\n"}}
    agent.raw_update(sessionUpdate="tool_call_update", toolCallId="t9", title="pytest", kind="execute",
                     status="in_progress", rawInput={"command": ["pytest", "-q"]})  # fmt: skip
    agent.raw_update(sessionUpdate="tool_call_update", toolCallId="t9", _meta=meta)
    agent.raw_update(sessionUpdate="tool_call_update", toolCallId="t9", status="failed", content=[])
    about = {"type": "content", "content": {"type": "text", "text": "[in the folder /work]"}}
    agent.raw_update(sessionUpdate="tool_call", toolCallId="t8", title="ls", status="in_progress", content=[about])
    agent.raw_update(sessionUpdate="tool_call_update", toolCallId="t8", status="completed", content=[])
    await agent.say("[MODE_UPDATE] yolo")
    await agent.say("It fails.")
    return PromptResponse(
        stop_reason="end_turn", field_meta={"quota": {"token_count": {"input_tokens": 700, "output_tokens": 30}}}
    )


async def tells(agent, prompt):
    """Says what surrounds it."""
    seen = {"env": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv, "mode": agent.mode, "prompt": prompt}
    seen["home"] = sorted(str(path.relative_to(Path.home())) for path in Path.home().rglob("*"))
    seen["group"] = os.getpgid(0) == os.getpid()
    seen["fds"] = sorted(os.listdir("/proc/self/fd"))
    parent = f"/proc/{os.getppid()}"
    seen["locked_out"] = not os.access(f"{parent}/fd", os.R_OK) and not os.access(f"{parent}/mem", os.W_OK)
    await agent.say(json.dumps(seen))


async def leaves_children(agent, prompt):
    """Starts something in its group that would stay for ever, and holds on when its input is closed."""
    child = await asyncio.create_subprocess_exec("sleep", "600")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    await agent.say(str(child.pid))


async def talks_slowly(agent, prompt):
    """Says one message in pieces until somebody has seen the first of them."""
    while not Path(agent.cwd, "enough").exists():
        await agent.say("word ")
        await asyncio.sleep(0.05)


async def talks_much(agent, prompt):
    """Prints far more than may be printed."""
    for number in range(60):
        await agent.update(start_tool_call(f"t{number}", "x" * 30_000, kind="other", status="completed"))
    await agent.say("the end")


if __name__ == "__main__":
    asyncio.run(run_agent(Scripted(globals()[sys.argv[1]]), use_unstable_protocol=True))
