"""The YAML files that ship with Kubeferry for a Prefect server: deployments, automations, work pool templates."""

from importlib.resources import files
from typing import Any

import yaml


def read(name: str) -> dict[str, Any]:
    """Return a file of `deployments/`, such as `prefect.yaml`. It is read as data: no module is imported."""
    found: dict[str, Any] = yaml.safe_load((files("kubeferry") / "deployments" / name).read_text())
    return found
