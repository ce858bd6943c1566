"""Decide whether the text around `svc.namespace` makes it a host: a URL, a port, a program, or a name that means one.

All that is looked at is a limited number of characters before the name, so that the scan stays linear. Texts are of any
format: YAML, JSON, properties, INI, TOML, nginx, HAProxy, shell, connection strings.
"""

from __future__ import annotations

import re

from kubeferry.tasks.core.transform.rename.keys import means_host

FILES = re.compile("ya?ml|json|toml|conf|cfg|ini|txt|md|log|crt|cer|key|pem|csr|p12|jks|sock|pid|t?gz|zip|sh")
"""Last labels that make a name a file name, unless its cluster domain is known."""

_LINED = re.compile("ya?ml|json|toml|conf|cfg|ini|txt|md|log|csv|sh|properties|xml|html?|css|py|rb|js|ts|go|java|php")
"""Last labels of files that are named with a line: `shop.properties:12`."""

_PORT = re.compile(r":\d{1,5}(?![\w.-])(/?)")
_AUTHORITY = re.compile(r":(?:\\?/){2}[^\s/?#\"'\\<>]*$")
_NO_HOST = frozenset(
    {
        *("s3", "s3a", "s3n", "gs", "gcs", "oss", "cos", "obs", "b2", "swift", "wasb", "wasbs", "abfs", "abfss", "adl"),
        *("file", "classpath", "jar", "data", "env", "pkg", "secret", "k8s"),
    }
)
"""Schemes of URLs whose first part is a bucket, a file or a name, and no host."""

_USER = re.compile(r"(?::[^\s/@]{0,256})?@")
_OF_GIT = re.compile(r":[\w~/.-]", re.ASCII)
_IS_KEY = re.compile(r"(?:\\*[\"'`])?[ \t]*(?::(?!\d)|=)|[/(]")
_ENDS = re.compile(r"$|[\s;|&)'\"`,]|\\[nr\"]")
_PROGRAM = re.compile(
    r"(?:^|[\s\"'`(;/$])(?:nc|ncat|netcat|telnet|ping|nslookup|dig|drill|host|wget|curl|ssh|traceroute|grpcurl"
    r"|wait-?for(?:-?it)?(?:\.sh)?|replicaof|slaveof|sentinel|rewrite|forward)[ \t]",
    re.ASCII,
)
"""Programs and directives whose arguments are hosts; what also takes names of tables or topics has its `-h` alone."""

_LAST_WORD = re.compile(r"[\w.-]+\Z", re.ASCII)
_OPEN, _CLOSE = "\"'`[({<\\ \t", "\"'`])}>\\ \t"
_ITEM = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.$:*@/%~+-"
"""Characters of an item of a list of hosts."""

_LOOK_BACK = 256
"""Most characters before a name that decide what it is."""

_LINES = 64
"""Most items of a list, and most lines above one, that are skipped to find the name of the list."""


class HostPlaces:
    """One text, and what of it is the place of a host."""

    def __init__(self, text: str, key: str = "", *, image: bool = False) -> None:
        """Look at `text`, which has the name `key` ("": none), or is the name of an `image`."""
        self._text, self._key, self._image = text, key, image
        self._lists: dict[int, str] = {}

    def is_host(self, start: int, end: int) -> bool:
        """Return whether the bare name from `start` to `end` is a host, as the text around it says."""
        text = self._text
        before = text[max(0, start - _LOOK_BACK) : start]
        url = _AUTHORITY.search(before) if before[-1:] in ("/", "@", ",") else None
        if url:
            return _scheme(before, url.start()) not in _NO_HOST and not _USER.match(text, end)
        if before[-1:] == "@" and _OF_GIT.match(text, end):
            return True
        port = _PORT.match(text, end) if before[-1:] != "/" else None  # x/web.shop:2 is an image with its tag
        if port:
            return bool(port[1]) if self._image else not self._is_file(start, end) or self._is_named(start)
        if self._image or _IS_KEY.match(text, end):
            return False
        return self._is_named(start) or self._is_asked(before, end)

    def is_mail(self, start: int, end: int) -> bool:
        """Return whether a name is the domain of an e-mail address, and not a host after `user:password@`."""
        text = self._text
        if text[start - 1 : start] != "@" or text[end : end + 1] in ("/", ":"):
            return False
        local = re.split(r"[\s\"'<>,;()]", text[max(0, start - _LOOK_BACK) : start - 1])[-1]
        return ":" not in local.removeprefix("mailto:")

    def key(self, start: int) -> str:
        """Return the name under which a value stands that begins at `start`, "" for none.

        `host=x`, `"host": "x"`, `--host x`, `Host(x)`, `host: a, x`, `server x;` at the beginning of a line, and the
        items of a YAML list; else the name of the whole text, if the value begins it or a line of it.
        """
        low = max(0, start - _LOOK_BACK)
        before = self._text[low:start]
        bare = _first(before)
        last = bare[-1:]
        if last in ("", "\n", "\r"):
            return "" if low else self._key
        if last in ("=", ":") or bare.endswith("=>"):
            found = _LAST_WORD.search(bare.rstrip("=:> \t\"'`\\")[-80:])
            return found[0] if found else ""
        line = bare[bare.rfind("\n") + 1 :].lstrip(" \t\r")
        if line.strip("- \t") == "":
            return self._of_list(start)
        word = _LAST_WORD.search(bare[-80:])
        opened = before[len(bare) : len(bare) + 1]
        if word and (opened == "(" or (word[0].startswith("-") and opened in (" ", "\t"))):
            return word[0].lstrip("-")  # Host(`x`), --host x
        directive = line[: -len(word[0])].rstrip(" \t") if word else "-"
        return word[0] if word and opened in (" ", "\t") and directive[-1:] in ("", "{", ";") else ""

    def _is_named(self, start: int) -> bool:
        return means_host(self.key(start))

    def _is_file(self, start: int, end: int) -> bool:
        """Return whether `x.y` of `x.y:12` may be a file with the number of a line."""
        return _LINED.fullmatch(self._text[start:end].rpartition(".")[2]) is not None

    def _is_asked(self, before: str, end: int) -> bool:
        """Return whether the name is an argument of a program that asks for a host: `nc -z db.shop 5432`."""
        if before[-1:] not in (" ", "\t") or not _ENDS.match(self._text, end):
            return False
        line = before[max(before.rfind(each) for each in "\n;|&") + 1 :]
        return line.rstrip(" \t").endswith((" -h", "\t-h")) or _PROGRAM.search(line) is not None

    def _of_list(self, start: int) -> str:
        """Return the key of the YAML list of which a value is an item; it is looked for once for all of its items."""
        text, seen, key = self._text, list[int](), ""
        line = text.rfind("\n", 0, start) + 1
        depth = _indent(text[line:start])
        for _ in range(_LINES):
            if line in self._lists or not line:
                key = self._lists.get(line, self._key)
                break
            seen.append(line)
            end, line = line - 1, text.rfind("\n", 0, line - 1) + 1
            above = text[line:end]
            content, indent = above.strip(), _indent(above)
            if not content or content[0] == "#" or indent > depth:
                continue
            if indent < depth or content[0] != "-":
                name, colon, _ = content.partition(":")
                key = name.strip("\"'- ") if colon else ""
                break
        self._lists |= dict.fromkeys(seen, key)
        return key


def _first(before: str) -> str:
    """Return what is before the first item of the list whose next item follows `before`."""
    bare = before.rstrip(_OPEN)
    for _ in range(_LINES):
        if bare.endswith(("\n", "\r")) and bare.rstrip()[-1:] in (",", "["):
            bare = bare.rstrip().rstrip(_OPEN)
        if not bare.endswith(","):
            break
        items = bare[:-1].rstrip(_CLOSE)
        rest = items.rstrip(_ITEM)
        if rest == items:
            break
        bare = rest.rstrip(_OPEN)
    return bare


def _scheme(before: str, colon: int) -> str:
    """Return the scheme of a URL, `jdbc:mysql` as `mysql`."""
    found = _LAST_WORD.search(before[max(0, colon - 32) : colon])
    return found[0].lower() if found else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
