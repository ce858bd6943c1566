"""Build the real Velero: server and command line are one binary, the plugin for S3 another.

Each has a Go module of its own (go.mod with a tool, go.sum, no Go code), since they need different versions of the same
packages. Both are built and cached like the sandbox's binaries.
"""

from __future__ import annotations

from pathlib import Path

from kubeferry.deployments.sandbox.build import Recipe

HERE = Path(__file__).parent
VERSION = "v1.18.3"
NO_PORT = "sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=0"
"""Otherwise the server's controllers serve metrics on port 8080 of every interface; no option turns that off."""

LDFLAGS = f"-s -w -X github.com/vmware-tanzu/velero/pkg/buildinfo.Version={VERSION} -X {NO_PORT}"

VELERO = Recipe(HERE / "server", ("velero",), LDFLAGS, "Velero")
PLUGIN = Recipe(HERE / "aws", ("velero-plugin-for-aws",), "-s -w", "Velero plugin")
