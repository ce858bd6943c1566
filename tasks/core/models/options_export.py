"""The options of the flow export, as a pydantic model, which Prefect's UI shows as a form."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import ConfigDict, model_validator

from kubeferry.tasks.core.models.forms import either
from kubeferry.tasks.core.models.modifications import Modifications
from kubeferry.tasks.core.models.options import (
    BackupOptions,
    Choosing,
    NamespaceName,
    OptionalName,
    Owned,
    RestoreOptions,
    Selection,
)
from kubeferry.tasks.core.models.rewriting import RewriteRule  # noqa: TC001 - pydantic needs it
from kubeferry.tasks.core.models.secret_free import NoSecret  # noqa: TC001 - pydantic needs it

SELECTION = frozenset(Choosing.model_fields)
"""The options that select objects, in every model that has them."""

PLANNED = frozenset(
    {"map", "modify", "no_rewrite", "rewrite_also", "rewrite_rules", "owned", "identities", "allow_plain"}
)
"""The options of a restore that change its objects."""


class ExportFormat(StrEnum):
    """What an export writes."""

    YAML = "yaml"
    KUSTOMIZE = "kustomize"
    HELM = "helm"


class ChartShape(StrEnum):
    """What a chart installs."""

    TEMPLATES = "templates"
    BUNDLE = "bundle"


class SecretMode(StrEnum):
    """What becomes of a Secret's content."""

    OMIT = "omit"
    INCLUDE = "include"
    EXTERNAL = "external"
    AGE = "age"


class ExportOptions(Selection):
    """What to export, as what, and where to."""

    model_config = ConfigDict(json_schema_extra=either("backup", "from_cluster"))

    backup: OptionalName = ""
    """Name of the backup; empty with `from_cluster`."""

    from_cluster: OptionalName = ""
    """Export this namespace as it is on the cluster now, instead of a backup."""

    format: ExportFormat = ExportFormat.YAML
    """Plain files (yaml), a base and an overlay for Kustomize, or a Helm chart of one namespace."""

    shape: ChartShape = ChartShape.TEMPLATES
    """A chart with a template for each object, or with one Bundle that holds them, which a restore carries out."""

    out: str
    """Folder to write to; it is created, and must be empty without `force`."""

    force: bool = False
    """Replace the files of an earlier export in that folder. Files of others, and edited ones, are never touched."""

    secrets: SecretMode = SecretMode.OMIT
    """Secrets: leave them out, include them in clear, write ExternalSecret objects that name them, or encrypt them with
    age for SOPS."""

    secret_store: str = ""
    """With `external`: name of the SecretStore, or `ClusterSecretStore/NAME`."""

    encrypt_to: list[NoSecret] = []
    """With `age`: age recipients (`age1...`) that can decrypt them, or paths of files with recipients."""

    map: dict[NamespaceName, NamespaceName] = {}
    """Namespaces to rename, old to new name, for example `{"shop": "shop-copy"}`."""

    modify: Modifications = Modifications()
    """What to modify: labels, replicas, hosts, and patches with conditions."""

    no_rewrite: list[str] = []
    """What not to rewrite when namespaces are renamed, as in a restore."""

    rewrite_also: list[str] = []
    """What to rewrite also, as in a restore."""

    rewrite_rules: list[RewriteRule] = []
    """What to rewrite also, by kinds, places and the text around the name."""

    owned: Owned = Owned.REBUILD
    """An object that its controller would re-create: rebuild leaves it out, keep exports it too."""

    identities: list[NoSecret] = []
    """Paths of files with secret keys (age or SSH) for an encrypted backup."""

    allow_plain: bool = False
    """Export a backup that is not encrypted, although identities are given."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if bool(self.backup) == bool(self.from_cluster):
            raise ValueError("name a BACKUP, or a namespace with --from-cluster")
        if self.secrets is SecretMode.EXTERNAL and not self.secret_store:
            raise ValueError("--secrets external needs the name of a SecretStore: --secret-store")
        if self.secrets is SecretMode.AGE and not self.encrypt_to:
            raise ValueError("--secrets age needs recipients: --encrypt-to")
        if self.secret_store and self.secrets is not SecretMode.EXTERNAL:
            raise ValueError("--secret-store goes with --secrets external")
        if self.encrypt_to and self.secrets is not SecretMode.AGE:
            raise ValueError("--encrypt-to goes with --secrets age")
        if self.secrets is SecretMode.AGE and self.format is ExportFormat.HELM:
            raise ValueError("--secrets age goes with --as yaml and kustomize: a chart takes Secrets as values")
        if self.shape is ChartShape.BUNDLE and self.format is not ExportFormat.HELM:
            raise ValueError("--shape bundle goes with --as helm")
        if not self.out.strip():
            raise ValueError("name the folder to write to: --out")
        if self.from_cluster and self.namespaces:
            raise ValueError("--from-cluster names the namespace; --namespace selects those of a backup")
        return self

    @property
    def what(self) -> str:
        """Return what is exported, as a run is named after it."""
        return self.backup or self.from_cluster

    def of_cluster(self, name: str, store: str) -> BackupOptions:
        """Return the options of the backup that is made of the cluster first."""
        given = {name: getattr(self, name) for name in SELECTION - {"namespaces"}}
        where = {"context": self.context, "kubeconfig": self.kubeconfig, "store": store}
        return BackupOptions(name=name, namespaces=[self.from_cluster], **given, **where)

    def of_restore(self, backup: str = "", store: str = "") -> RestoreOptions:
        """Return the options of the restore whose objects are exported.

        Args:
            backup: the backup that was made of the cluster; empty: the one that is named, with the selection.
            store: its store.
        """
        names = PLANNED if backup else PLANNED | SELECTION
        given = {name: getattr(self, name) for name in names}
        if backup:
            given["allow_plain"] = True
        return RestoreOptions(backup=backup or self.backup, store=store or self.store, **given)
