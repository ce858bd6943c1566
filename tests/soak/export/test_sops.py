"""The real SOPS reads what `export --secrets age` writes, and refuses what somebody has changed.

The tool is built from its Go module (tests/data/sops), once.
"""

import base64
import os
import random
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from pyrage import x25519
from tests.support.bench import A
from tests.support.objects import documents, secret

from kubeferry.deployments.sandbox import build
from kubeferry.flows.export import export
from kubeferry.tasks.core.models.options_export import ExportOptions

RECIPE = build.Recipe(Path(__file__).parents[2] / "data/sops", ("sops",), "-s -w", "SOPS")
TEXTS = {
    "password": "marked-secret-value",
    "empty": "",
    "lines": "a\n\tb: {{ c }}\n",
    "odd": "ENC[AES256_GCM,x] é☎ \x7f",
}

pytestmark = pytest.mark.soak(minutes=1, setup=8)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two files of secret keys as age-keygen writes them, by public key."""
    found = {}
    for name in ("first", "second"):
        path, identity = tmp_path_factory.mktemp("keys") / f"{name}.txt", x25519.Identity.generate()
        path.write_text(f"# public key: {identity.to_public()}\n{identity}\n")
        found[str(identity.to_public())] = path
    return found


@pytest.fixture(scope="module")
def sops():
    """Return a function that runs SOPS with a file of secret keys, and returns its exit code and what it printed."""
    binary = build.binaries(RECIPE) / "sops"

    def run(key, *arguments):
        env = {**os.environ, "SOPS_AGE_KEY_FILE": str(key), "HOME": "/nowhere"}
        argv = [binary, *map(str, arguments)]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr if done.returncode else done.stdout

    return run


@pytest.fixture(scope="module")
def files(bench, keys, tmp_path_factory):
    """The files of Secrets in an export as YAML and one for Kustomize, and the Secrets on the cluster."""
    ns, rng = bench.namespace("sealed"), random.Random(os.environ["KUBEFERRY_SEED"])  # noqa: S311 - no secret
    binary = {f"k{size}": base64.b64encode(rng.randbytes(size)).decode() for size in (1, 16, 31, 4096, 100_000)}
    bench.make(
        documents(secret("texts", TEXTS, type="example.com/t"), secret("immutable", {"a": "b"}, immutable=True)), ns
    )
    bench.make(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "binary"}, "data": binary}), ns
    )
    saved, found = bench.backup(ns), {}
    for form in ("yaml", "kustomize"):
        out = tmp_path_factory.mktemp(form) / "out"
        asked = {"backup": saved.name, "out": str(out), "context": A, "format": form, **bench.where}
        bench.run_flow(export(ExportOptions(secrets="age", encrypt_to=list(keys), **asked)))
        found[form] = {path.stem: path for path in out.rglob("secret/*.yaml")}
    return ns, found


def test_sops_decrypts_each_secret_with_each_of_the_keys(bench, keys, sops, files):
    ns, forms = files
    for form in forms.values():
        assert set(form) == {"binary", "immutable", "texts"}
        for name, path in form.items():
            before = bench.get("Secret", ns, name)
            for key in keys.values():
                code, out = sops(key, "decrypt", path)
                assert code == 0, out
                after = yaml.safe_load(out)
                for field in ("data", "type", "immutable"):
                    assert after.get(field) == before.get(field)
                assert after["metadata"]["name"] == name
                assert "sops" not in after


def test_another_key_opens_nothing(sops, files, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text(f"{x25519.Identity.generate()}\n")
    code, out = sops(other, "decrypt", files[1]["yaml"]["texts"])
    assert (code, "no identity matched any of the recipients" in out) == (128, True), out


def flipped(text):
    """Change one character of a ciphertext."""
    return re.sub(r"(password: ENC\[AES256_GCM,data:)(.)", lambda at: at[1] + ("B" if at[2] == "A" else "A"), text)


def swapped(text):
    """Change places of two values."""
    one, two = (re.search(rf"^  {key}: (ENC.*)$", text, re.MULTILINE)[1] for key in ("password", "odd"))
    return text.replace(one, "\0").replace(two, one).replace("\0", two)


CHANGES = {
    "a character of a ciphertext": flipped,
    "two values have changed places": swapped,
    "a value is gone": lambda text: re.sub(r"^  password: ENC.*\n", "", text, flags=re.MULTILINE),
    "the time of the last change": lambda text: re.sub(r"lastmodified: '?\"?20", "lastmodified: '19", text, count=1),
    "a character of the MAC": lambda text: re.sub(
        r"(mac: ENC\[AES256_GCM,data:)(.)", lambda at: at[1] + ("B" if at[2] == "A" else "A"), text
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_somebody_has_changed_is_refused(keys, sops, files, tmp_path, change):
    text, path = files[1]["yaml"]["texts"].read_text(), tmp_path / "texts.yaml"
    changed = change(text)
    assert changed != text
    path.write_text(changed)
    code, out = sops(next(iter(keys.values())), "decrypt", path)
    assert code != 0, out
    assert "marked-secret-value" not in out
    assert "MAC" in out or "authentication failed" in out, out


def test_what_is_not_encrypted_may_be_changed(keys, sops, files, tmp_path):
    """Labels are edited with an editor: the MAC covers encrypted values alone, as the file says."""
    text, path = files[1]["yaml"]["texts"].read_text(), tmp_path / "texts.yaml"
    path.write_text(text.replace("  name: texts\n", "  labels: {team: blue}\n  name: texts\n"))
    code, out = sops(next(iter(keys.values())), "decrypt", path)
    assert code == 0, out
    assert yaml.safe_load(out)["metadata"]["labels"] == {"team": "blue"}


def test_sops_changes_a_value_and_rotates_the_key(bench, keys, sops, files, tmp_path):
    path, key = tmp_path / "texts.yaml", next(iter(keys.values()))
    path.write_bytes(files[1]["yaml"]["texts"].read_bytes())
    value = base64.b64encode(b"another").decode()
    for command in (["set", path, '["data"]["password"]', f'"{value}"'], ["rotate", "--in-place", path]):
        code, out = sops(key, *command)
        assert code == 0, out
    code, out = sops(key, "decrypt", path)
    assert code == 0, out
    before = bench.get("Secret", files[0], "texts")["data"]
    assert yaml.safe_load(out)["data"] == before | {"password": value}
