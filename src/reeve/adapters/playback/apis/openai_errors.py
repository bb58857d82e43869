"""Errors as both APIs of OpenAI write them."""

from typing import Any

from reeve.adapters.playback.script import Fault

__all__ = ["failure"]

ERRORS = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("server_error", "server_is_overloaded"),
    529: ("server_error", "server_is_overloaded"),
}


def failure(fault: Fault) -> dict[str, Any]:
    """Return an error."""
    kind, code = ERRORS.get(
        fault.status, ("invalid_request_error", None) if fault.status < 500 else ("server_error", "server_error")
    )
    return {"error": {"message": fault.message, "type": kind, "param": None, "code": code}}
