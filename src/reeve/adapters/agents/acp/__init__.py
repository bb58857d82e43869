"""Drives one coding agent over the Agent Client Protocol, from inside the sandbox, beside it.

A program of its own, started by `AcpAgent`: it imports nothing of reeve and little of the standard library, because it
starts with every attempt. `drive` is the whole of it from the top; what an agent says is read by `updates` and printed
by `events`; docs/agents.md says what events and mail look like.
"""
