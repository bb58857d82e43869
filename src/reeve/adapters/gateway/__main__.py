"""``python -m reeve.adapters.gateway``: see docs/gateway.md; started by `GatewayProcess` alone."""

from reeve.adapters.gateway.serve import serve

if __name__ == "__main__":
    serve()
