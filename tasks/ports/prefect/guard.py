"""What the local Prefect server refuses before Prefect sees it: requests that a web page of another site makes.

Each page in the user's browser can send requests to loopback. The password stops those, too; but a browser adds what
it remembers, and a page whose name an attacker points to 127.0.0.1 (DNS rebinding) is, to the browser, the server's
own. So the name has to be the server's (RFC 9110, 7.2), and the page, if the browser says which, one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse

from kubeferry.tasks.ports.prefect.local_server import NAMES

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send


def origins(port: int) -> list[str]:
    """Return the origins of the server's own pages (RFC 6454)."""
    return [f"http://{name}:{port}" for name in NAMES]


def guard(app: Starlette, port: int) -> None:
    """Refuse other names with 400 and other origins with 403, for HTTP and websockets. It may be called again."""
    if not getattr(app.state, "guarded", False):
        app.add_middleware(Guard, port=port)
        app.state.guarded = True


IN_MEMORY = "prefect-in-memory"
"""What Prefect's server calls itself where it asks itself, in the same process: for its automations
(prefect/server/api/clients.py)."""


class Guard:
    """ASGI middleware: what came over the network has to name the server and come from one of its pages."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        """Wrap `app`."""
        self._app = app
        pages = OwnOrigins(app, origins(port))
        self._guarded = TrustedHostMiddleware(pages, allowed_hosts=NAMES, www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        # The server's own address, which no client can choose: uvicorn takes it from the socket.
        address = scope.get("server") or ("", None)
        await (self._app if address[0] == IN_MEMORY else self._guarded)(scope, receive, send)


class OwnOrigins:
    """ASGI middleware: a request whose Origin is not one of `allowed` gets 403; one without comes from no page."""

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        """Wrap `app`."""
        self._app, self._allowed = app, set(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        foreign = scope["type"] in ("http", "websocket") and not self._own(Headers(scope=scope))
        answer = PlainTextResponse("Invalid Origin header", 403) if foreign else self._app
        await answer(scope, receive, send)

    def _own(self, headers: Headers) -> bool:
        return all(origin in self._allowed for origin in headers.getlist("origin"))
