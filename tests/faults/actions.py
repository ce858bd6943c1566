"""What can go wrong with one request: functions of an Exchange, each with the name under which it is counted."""

import itertools
import threading
import time

from tests.faults.proxy import Exchange, Reply

JSON = {"Content-Type": "application/json"}
BUSY = b'{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "the proxy says no"}'


def named(name):
    """Give an action its name."""

    def name_it(action):
        action.name = name
        return action

    return name_it


def answer(status, *, after=None, body=BUSY, headers=JSON):
    """Answer at once; the server hears nothing. `after` is a Retry-After, in seconds."""
    more = {} if after is None else {"Retry-After": after}

    @named(f"{status}" + (" with Retry-After" if more else ""))
    def answered(x):
        x.send(Reply(status, headers | more, b"" if x.command == "HEAD" else body))

    return answered


def delay(seconds, name="slow"):
    """Pass all on, later."""

    @named(name)
    def delayed(x):
        time.sleep(seconds)
        x.relay()

    return delayed


def in_turn(actions):
    """Do each action, one a request, and begin again after the last."""
    around, lock = itertools.cycle([*actions]), threading.Lock()

    @named("in turn")
    def taken(x):
        with lock:
            action = next(around)
        action(x)

    return taken


@named("cut before")
def cut(x):
    """Hang up; the server hears nothing."""
    x.hang_up()


@named("cut after")
def lose(x):
    """Let the server act, and hang up instead of answering."""
    x.forward()
    x.hang_up()


@named("truncated")
def truncate(x):
    """Send half of the answer, and hang up: its Content-Length shows that there was more."""
    reply = x.forward()
    x.start(reply.status, reply.headers, Content_Length=len(reply.body))
    x.wfile.write(reply.body[: len(reply.body) // 2])
    x.hang_up()


@named("truncated without length")
def truncate_silently(x):
    """Send half of an answer that ends with its connection: nothing but its content shows that there was more."""
    reply = x.forward()
    x.start(reply.status, reply.headers, Connection="close")
    x.wfile.write(reply.body[: len(reply.body) // 2])
    x.hang_up()


def cut_stream(lines):
    """Pass a watch on for so many lines, and hang up in the middle of the next one."""

    @named("watch cut")
    def cut_off(x):
        x.stream(lines)

    return cut_off


@named("partial upload")
def send_half(x):
    """Send the server half of the body that it was promised, then hang up on both sides."""
    upstream = x.server.connect()
    upstream.putrequest(x.command, x.path, skip_host=True, skip_accept_encoding=True)
    for name, value in x.headers.items():
        if name.lower() not in ("expect", "connection"):
            upstream.putheader(name, value)
    upstream.endheaders(x.body[: len(x.body) // 2])
    upstream.close()
    x.hang_up()


@named("slow upload")
def send_slowly(x):
    """Send the server the body in pieces with pauses between, then pass on the answer."""
    pieces = max(1, len(x.body) // 8)

    def slowly():
        for start in range(0, len(x.body), pieces):
            time.sleep(0.02)
            yield x.body[start : start + pieces]

    upstream = x.server.connect()
    headers = {name: value for name, value in x.headers.items() if name.lower() not in ("expect", "connection")}
    upstream.request(x.command, x.path, slowly() if x.body else None, headers)
    got = upstream.getresponse()
    x.send(Reply(got.status, dict(got.getheaders()), got.read()))
    upstream.close()


def doing(what, then=Exchange.relay, name=""):
    """Do something else first, then go on with another action."""

    @named(name or f"{what.__name__}, then {getattr(then, 'name', 'all goes on')}")
    def done(x):
        what()
        then(x)

    return done


def edit(change, name="edited"):
    """Pass the request on, and the answer's body as `change` makes it: bytes to bytes."""

    @named(name)
    def edited(x):
        reply = x.forward()
        x.send(reply._replace(body=change(reply.body)))

    return edited
