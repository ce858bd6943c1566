"""A plan as one HTML page that sends no requests; template, style and script are in html/.

Names come from an archive that anybody may have written. The page holds them as JSON in which no character has a
meaning in HTML, and the script shows them as text only; a content security policy allows no other script and no
request.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from kubeferry.tasks.core.formats.loss_sections import SECTIONS

if TYPE_CHECKING:
    from kubeferry.tasks.core.plan.document import PlanDocument


def page(plan: PlanDocument) -> str:
    """Return the page of a plan."""
    style, program = _file("plan.css"), _file("plan.js")
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return template.from_string(_file("plan.html.j2")).render(
        plan=plan,
        data=plan.model_dump(mode="json") | {"loss_sections": SECTIONS},
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(program)}'",
        style=Markup(style),  # noqa: S704 - our own file
        program=Markup(program),  # noqa: S704 - our own file
    )


def _file(name: str) -> str:
    return files("kubeferry.flows.console").joinpath("html", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return the hash by which a content security policy allows an inline element (W3C: CSP Level 3, hash-source)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
