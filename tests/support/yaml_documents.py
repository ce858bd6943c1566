"""YAML as the tools of Kubernetes write it: `=` and `<<` are plain strings, as in YAML 1.2."""

import yaml


class Loader(yaml.CSafeLoader):
    """Reads the two types of YAML 1.1 that PyYAML knows and has no value for as strings."""


for tag in ("value", "merge"):
    Loader.add_constructor(f"tag:yaml.org,2002:{tag}", lambda _, node: node.value)


def documents(text):
    """Return the objects of a stream, by group and version, kind, namespace and name."""
    found = [each for each in yaml.load_all(text, Loader) if each]
    return {
        (each["apiVersion"], each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each
        for each in found
    }


def of_folder(folder):
    """Return the objects of all files of a folder."""
    return documents("\n---\n".join(path.read_text() for path in sorted(folder.rglob("*.yaml"))))
