"""What the gateway says in the place of a provider: in its own form, so that every client understands it."""

import json

from reeve.adapters.gateway.usage import Shape
from reeve.records import Api

__all__ = ["cut_element", "cut_event", "error_body"]

# What clients retry on their own is 408, 409, 429 and from 500 on; 402 none of them does.
KINDS = {
    400: ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    401: ("authentication_error", "invalid_api_key", "UNAUTHENTICATED"),
    402: ("billing_error", "insufficient_quota", "FAILED_PRECONDITION"),
    403: ("permission_error", "permission_denied", "PERMISSION_DENIED"),
    404: ("not_found_error", "not_found", "NOT_FOUND"),
    413: ("request_too_large", "request_too_large", "INVALID_ARGUMENT"),
    429: ("rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED"),
    502: ("api_error", "bad_gateway", "UNAVAILABLE"),
    503: ("overloaded_error", "overloaded", "UNAVAILABLE"),
    529: ("overloaded_error", "overloaded", "UNAVAILABLE"),
}


def error_body(api: Api, status: int, message: str) -> bytes:
    """Say an error as the API says its own."""
    return json.dumps(_error(api, status, message)).encode()


def _error(api: Api, status: int, message: str) -> dict[str, object]:
    anthropic, openai, gemini = KINDS.get(status, KINDS[400 if status < 500 else 502])
    if api is Api.ANTHROPIC:
        return {"type": "error", "error": {"type": anthropic, "message": message}}
    if api is Api.GEMINI:
        return {"error": {"code": status, "message": message, "status": gemini}}
    return {"error": {"message": message, "type": openai, "param": None, "code": openai}}


def cut_element(message: str) -> bytes:
    """Say the same in an array that has begun, between two of its elements, and end it."""
    return b",\n" + error_body(Api.GEMINI, 402, message) + b"\n]"


def cut_event(shape: Shape, message: str) -> bytes:
    """Say in a stream that has begun that it ends here, for the budget; stands apart from an event cut in two."""
    if shape is Shape.ANTHROPIC:
        return b"\n\nevent: error\ndata: " + error_body(Api.ANTHROPIC, 402, message) + b"\n\n"
    if shape is Shape.RESPONSES:
        failed = {
            "type": "response.failed",
            "sequence_number": 0,
            "response": {
                "id": "resp_cut_off",
                "object": "response",
                "status": "failed",
                "error": {"code": "insufficient_quota", "message": message},
                "output": [],
            },
        }
        return b"\n\nevent: response.failed\ndata: " + json.dumps(failed).encode() + b"\n\n"
    api = Api.GEMINI if shape is Shape.GEMINI else Api.OPENAI
    return b"\n\ndata: " + error_body(api, 402, message) + b"\n\n"
