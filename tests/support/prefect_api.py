"""Prefect's REST API, asked by tests without Prefect's own client."""

import base64
import json
import os
import urllib.request
from pathlib import Path

from tests.support.limits import LIMIT


def headers(url):
    """Return the headers of a request: JSON, and the password of the local server in KUBEFERRY_HOME, or the run's."""
    pair = os.environ.get("PREFECT_API_AUTH_STRING", "")
    own = Path(os.environ.get("KUBEFERRY_HOME", "/nonexistent"), "state", "prefect")
    if (own / "server.json").exists() and f":{json.loads((own / 'server.json').read_bytes())['port']}/" in f"{url}/":
        pair = (own / "password").read_text()
    return {"Content-Type": "application/json", "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


class Api:
    """Prefect's REST API, asked without Prefect."""

    def __init__(self, url):
        self.url = url

    def ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers(self.url), method=method)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310 - as above
            text = answer.read()
        return json.loads(text) if text else None

    def deployment(self, name):
        return self.ask(f"/deployments/name/{name}")

    def runs(self, deployment_id):
        """Return the runs of a deployment, in the order in which they are to start."""
        wanted = {"deployments": {"id": {"any_": [deployment_id]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        return self.ask("/flow_runs/filter", wanted)

    def run(self, run_id):
        return self.ask(f"/flow_runs/{run_id}")

    def logs(self, run):
        """Return the lines of a flow run's log."""
        wanted = {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"}
        return [each["message"] for each in self.ask("/logs/filter", wanted)]

    def start(self, deployment_id, **options):
        """Create a run of a deployment, as the UI does; options of the deployment that are not given stay."""
        body = {"parameters": options, "state": {"type": "SCHEDULED"}}
        return self.ask(f"/deployments/{deployment_id}/create_flow_run", body)

    def make_webhook(self, name, url):
        """Make the block custom-webhook/NAME, which sends notifications there, as in the UI; return its id."""
        kind = self.ask("/block_types/slug/custom-webhook")["id"]
        (schema,) = self.ask("/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind]}}})
        data = {"name": "webhook", "url": url, "json_data": {"text": "{{subject}} {{body}}"}}
        made = {"name": name, "data": data, "block_schema_id": schema["id"], "block_type_id": kind}
        return self.ask("/block_documents/", made)["id"]
