"""Whatever objects hold comes out of an export and goes in again unchanged, read by kubectl and by Kustomize."""

import base64
import os
import random
import string

import pytest
import yaml
from tests.support.bench import A, B
from tests.support.objects import config_map

from kubeferry.flows.export import export
from kubeferry.tasks.core.models.options_export import ExportOptions

PIECES = [
    *("yes", "no", "on", "off", "y", "n", "null", "~", "true", "1e3", "0o7", "0755", "1_000", "12:30", "2001-01-01"),
    *("<<", "=", "---", "...", "{{", "}}", "{{ .Values.x }}", "{{- end }}", "$(VAR)", "${VAR}", "$", "`id`", "%", "@"),
    *(": ", " #", "- ", "? ", "|", ">", "&a", "*a", "!t", "[", "]", "{", "}", ",", "'", '"', "\\", "\\n", "\t", "\n"),
    *(
        "\n\n",
        "\r\n",
        " ",
        "  ",
        "é",
        "☎",
        "🛒",
        "\u2028",
        "\ufeff",
        "\x85",
        "\x07",
        "\x1b[31m",
        "\x7f",
        "kubeferry-block-0-",
    ),
]
CONTROL = ["\x85", "\x7f"]
"""What Kustomize cannot read; such objects are reported."""
ROOT = "kube-root-ca.crt"
KEYS = [*"aZ0", "a.b", "a-b", "a_b", "yes", "No", "1e3", "0755", "-", "_", "a.conf", "TLS.CRT", "null", "y"]


def text(rng, pieces):
    drawn = "".join(rng.choice(pieces) for _ in range(rng.randrange(8)))
    return drawn if rng.random() < 0.8 else drawn + "\n" * rng.randrange(3)


def objects(rng, pieces):
    """Yield ConfigMaps and Secrets with random content, one of them as large as they get."""
    for number in range(12):
        data = {key: text(rng, pieces) for key in rng.sample(KEYS, rng.randrange(1, 8))}
        notes = {f"example.com/{key.strip('-_') or 'x'}": text(rng, pieces) for key in rng.sample(KEYS, 3)}
        meta = {"name": f"{rng.choice('abc')}.{number}", "annotations": notes}
        binary = {"bin": base64.b64encode(rng.randbytes(40)).decode(), "latin": base64.b64encode(b"\xe9\xff").decode()}
        if number % 3 == 0:
            yield {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data, "data": binary}
        elif number % 3 == 1:
            yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data, "binaryData": binary}
        else:
            files = {f"f{each}.txt": f"{rng.choice(string.ascii_letters)}\n{text(rng, pieces)}" for each in range(3)}
            yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": files}
    large = "".join(rng.choices(string.ascii_letters + "\n \t", k=1_000_000))
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": {"large": large}}


def content(obj):
    """Return what a person wrote of an object; the tools write nothing into it."""
    mine = {key: each for key, each in obj["metadata"].get("annotations", {}).items() if key.startswith("example.com/")}
    return {key: obj.get(key) for key in ("data", "binaryData", "type")} | {"annotations": mine}


@pytest.mark.parametrize("form", ["yaml", "kustomize"])
def test_random_content_goes_through(bench, kubectl, sandbox_env, tmp_path, form):
    rng = random.Random(os.environ["KUBEFERRY_SEED"])  # noqa: S311 - no secret
    ns, copy = bench.namespace("odd"), bench.name("odd")
    pieces = [each for each in PIECES if form == "yaml" or each not in CONTROL]
    for obj in objects(rng, pieces):
        if form == "kustomize":
            notes = obj["metadata"].get("annotations", {})
            notes |= {key: value.lstrip("\t") for key, value in notes.items()}
        bench.make(yaml.safe_dump(obj, allow_unicode=False), ns)
    asked = {"backup": bench.backup(ns).name, "out": str(tmp_path / "out"), "format": form, "secrets": "include"}
    asked |= {"exclude": ["serviceaccounts"], "map": {ns: copy}}
    bench.run_flow(export(ExportOptions(context=A, **asked, **bench.where)))
    out = tmp_path / "out"
    if form == "kustomize":
        kubectl(sandbox_env, "apply", "--server-side", "--kustomize", str(out / "overlays/default"), context=B)
    else:
        kubectl(sandbox_env, "create", "--recursive", "--filename", str(out), context=B)
    for kind in ("ConfigMap", "Secret"):
        before, after = (
            {each["metadata"]["name"]: content(each) for each in found if each["metadata"]["name"] != ROOT}
            for found in (bench.list(kind, ns), bench.list(kind, copy, B))
        )
        assert after == before


def test_what_kustomize_cannot_read_is_a_problem_and_the_rest_is_rendered(bench, kubectl, sandbox_env, tmp_path):
    ns = bench.namespace("odd")
    for name, value in (("del", "a\x7f"), ("nel", "a\x85b"), ("fine", "a\x1b")):
        bench.make(config_map(name, {"k": value}), ns)
    bench.make(config_map("tab", {"k": "\ta\nb"}, annotations={"example.com/x": "\ta\nb"}), ns)
    asked = {"backup": bench.backup(ns).name, "out": str(tmp_path / "out"), "context": A, **bench.where}
    result = bench.run_flow(export(ExportOptions(format="kustomize", **asked)))
    assert result.phase == "Partial"
    assert {each.what: each.why.split(",")[0] for each in result.problems} == {
        f"ConfigMap {ns}/del": "holds the character U+007F",
        f"ConfigMap {ns}/nel": "holds the character U+0085",
        f"ConfigMap {ns}/tab": "has an annotation of several lines that begins with a tab (example.com/x)",
    }
    rendered = kubectl(sandbox_env, "kustomize", str(tmp_path / "out/overlays/default"))
    assert "name: fine" in rendered
