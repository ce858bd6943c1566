"""The options that only one command has, or that differ in it from the shared ones, by command."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kubeferry.flows.options import completion, files, parsing
from kubeferry.flows.options.common import Form, Format, print_version
from kubeferry.flows.options.option import Option
from kubeferry.flows.options.shared import SHARED, WHAT, WHERE
from kubeferry.tasks.core.formats.recipients import rejoined
from kubeferry.tasks.core.models.pools import PoolType

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES = "What to keep, by series"
"""The group of the rules of prune, in its help."""

# Options that several commands have, each with a help text of its own.
_name = partial(Option, str, metavar="NAME")
_namespaces = partial(Option, list[str], argument=True, metavar="NAMESPACE", completion=completion.namespaces)
_restore = partial(Option, str, argument=True, required=True, metavar="RESTORE", completion=completion.restores)
_expect = partial(Option, str, metavar="DIGEST")
_rule = partial(Option, int, default=0, min=0, metavar="N", panel=RULES)
_type = partial(Option, PoolType, default=PoolType.PROCESS, flags="--type")

BACKUP: Mapping[str, Option] = {
    "namespaces": _namespaces(
        "Namespaces to back up.",
        parser=parsing.chosen,
        reads=("namespace_selector", "all_namespaces"),
    ),
    "name": _name("Name of the backup; by default made of namespace and time."),
    "keep_completed_jobs": Option(bool, "Include completed Jobs.", panel=WHAT, shown=True),
    "encrypt_to": Option(
        list[str],
        "Encrypt the backup for age1…, an SSH public key, or a file of them; may be repeated. Velero cannot read it.",
        metavar="RECIPIENT",
        envvar="KUBEFERRY_ENCRYPT_TO",
        parser=rejoined,
    ),
    "ttl": Option(
        str,
        "Time to live (30d, 12h, 6mo); after it, kubeferry prune removes the backup, and so does a running Velero.",
        metavar="SPAN",
    ),
    "lock_until": Option(
        str,
        "Lock its files in a bucket with Object Lock, for a time (30d) or until a day (2027-01-31, UTC).",
        metavar="TIME",
    ),
}

RESTORE: Mapping[str, Option] = {
    "backup": replace(SHARED["backup"], help="Name of the backup; omit it with --resume.", required=False),
    "from_bundle": Option(
        str,
        "Restore what this Bundle on the cluster holds (export --shape bundle), and keep it in the store as BACKUP.",
        metavar="NS/NAME",
    ),
    "name": _name("Name of this restore; by default made of backup and time."),
    "resume": Option(
        str,
        "Resume a restore that was interrupted: do only what is missing, with its original options.",
        metavar="RESTORE",
        completion=completion.restores,
    ),
    "approve": Option(
        bool,
        "Pause before anything is written, with the plan in Prefect's UI, until somebody approves.",
    ),
    "approve_seconds": Option(
        int, "Longest time to wait for approval.", default=3600, min=1, max=604800, metavar="SECONDS"
    ),
}

UNDO: Mapping[str, Option] = {
    "restore": _restore("Name of the restore."),
    "dry_run": Option(bool, "Only show what would be reverted, and what would stay and why."),
    "expect": _expect("Revert nothing unless the journal still has this digest, which --dry-run shows."),
    "privileged": Option(bool, "Also revert RBAC, webhooks, admission policies, APIServices and definitions."),
    "force": Option(bool, "Also revert what somebody changed since, and create again what is not there any more."),
    "wait_seconds": replace(
        SHARED["wait_seconds"],
        help="Longest time to wait until one level is deleted; four times as long for namespaces.",
        default=60,
    ),
}

APPROVE: Mapping[str, Option] = {
    "restore": _restore("Name of the restore that waits, or the id of its flow run."),
    "refuse": Option(str | None, "Refuse the restore, with this reason: it ends.", metavar="REASON"),
}

MIGRATE: Mapping[str, Option] = {
    "namespaces": _namespaces("Namespaces to migrate."),
    "from_context": Option(
        str,
        "Context of the source cluster; by default the kubeconfig's current one.",
        metavar="NAME",
        panel=WHERE,
        envvar="KUBEFERRY_FROM_CONTEXT",
        completion=completion.contexts,
    ),
    "to_context": Option(
        str,
        "Context of the target cluster.",
        metavar="NAME",
        panel=WHERE,
        envvar="KUBEFERRY_TO_CONTEXT",
        completion=completion.contexts,
    ),
    "on_failure": replace(
        SHARED["on_failure"],
        help="When the target refuses an object or the restore of a namespace fails: continue without what is refused "
        "and what needs it, roll back this namespace, or stop and leave all as it is.",
        default="continue",
    ),
    "name": _name("Name of the migration; by default made of namespaces and time."),
    "resume": Option(
        str,
        "Resume a migration that was interrupted or failed in part: only the namespaces that are missing.",
        metavar="MIGRATION",
    ),
    "into_existing": Option(bool, "Also restore into namespaces that the target has already."),
    "fan_out": Option(
        # The values of `options_migration.FanOut`, whose import would import pydantic; a test compares them.
        Literal["here", "deployment"],
        "Where each namespace is restored: here, or by workers, as a flow run of a deployment.",
        default="here",
        metavar="WHERE",
    ),
    "deployment": Option(
        str,
        "Deployment of the flow migrate-namespace, for --fan-out deployment.",
        default="migrate-namespace/on-demand",
        metavar="FLOW/NAME",
    ),
}

POPULATE: Mapping[str, Option] = {
    "backup": SHARED["backup"],
    "into": Option(
        list[str],
        "Namespaces to create; may be repeated.",
        metavar="NS[,NS…]",
        parser=files.into,
        reads=("into_file",),
    ),
    "into_file": Option(
        Path | None,
        "Namespaces to create, with parameters, as CSV or YAML: name, labels, annotations, replicas, hosts, rules.",
        metavar="FILE",
        folders=False,
        fills="",
    ),
    "template": Option(
        str,
        "Namespace of the backup to use, if the backup holds more than one.",
        metavar="NAMESPACE",
        parser=parsing.optional,
    ),
    "name": _name("Name of this run, by default BACKUP-populate; run again with the same name to do what is missing."),
}

DELETE: Mapping[str, Option] = {
    "bundle": Option(str, "Name of the bundle, which is the name of its restore.", argument=True, metavar="BUNDLE"),
    "namespace": replace(
        SHARED["namespace"],
        help="Namespace of the bundle (by default all are searched), or of the selected objects; may be repeated.",
        panel=None,
        completion=completion.namespaces,
    ),
    "selector": replace(
        SHARED["selector"],
        help="Instead of a bundle: all objects with these labels that a backup would save.",
        panel=None,
    ),
    "dry_run": Option(bool, "Only show what would be deleted, and what still needs it."),
    "expect": _expect("Delete nothing unless the objects still have this digest, which --dry-run shows."),
    "wait_seconds": replace(
        SHARED["wait_seconds"], help="Longest time to wait until one level is deleted.", default=120
    ),
}

PRUNE: Mapping[str, Option] = {
    "keep_within": Option(
        str,
        "Keep all that are less than this older than the newest: 30d, 12h, 2w, 6mo, 1y.",
        metavar="SPAN",
        panel=RULES,
        parser=partial(parsing.span, option="--keep-within"),
    ),
    "keep_last": _rule("Keep the newest N."),
    "keep_hourly": _rule("Keep the last one of each of N hours."),
    "keep_daily": _rule("Keep the last one of each of N days."),
    "keep_weekly": _rule("Keep the last one of each of N weeks."),
    "keep_monthly": _rule("Keep the last one of each of N months."),
    "keep_yearly": _rule("Keep the last one of each of N years."),
    "restores_within": Option(
        str,
        "Also remove the records of restores that ended longer ago; these can no longer be undone.",
        metavar="SPAN",
        parser=partial(parsing.span, option="--restores-within"),
    ),
    "velero": Option(bool, "Also prune the backups that Velero made."),
    "dry_run": Option(bool, "Only show what would be removed, and why."),
    "expect": _expect("Remove nothing unless what would be removed still has this digest, which --dry-run shows."),
}

PLAN: Mapping[str, Option] = {
    "context": replace(
        SHARED["context"],
        help="Also look at this cluster, as a restore does before it writes: what it lacks or refuses, and what on it "
        "competes with the restored objects.",
        envvar=None,
    ),
    "kubectl": Option(
        bool, "Print a bash script that does the restore with kubectl alone; it contains the Secrets!", shown=True
    ),
    "output": replace(
        SHARED["output"],
        type=Form,
        default=Form.TABLE,
        help="How to print the plan; html is one page with the graph, for a browser.",
    ),
    "file": Option(
        Path | None,
        "Write to this file, readable by you only, instead of stdout.",
        metavar="FILE",
        panel=WHERE,
        folders=False,
    ),
}

DIFF: Mapping[str, Option] = {
    "rename": replace(SHARED["rename"], help="Compare namespace SRC of the backup with DST; may be repeated."),
    "against": Option(
        str,
        "Compare with this backup of the same store instead of a cluster.",
        metavar="BACKUP",
        completion=completion.backups,
    ),
    "unified": Option(bool, "Also show a unified diff of each object, as YAML.", default=True),
}

EXPORT: Mapping[str, Option] = {
    "backup": replace(SHARED["backup"], help="Name of the backup; omit it with --from-cluster.", required=False),
    "from_cluster": Option(
        str,
        "Export this namespace as it is on the cluster now, instead of a backup.",
        metavar="NAMESPACE",
        completion=completion.namespaces,
    ),
    "format": Option(
        # The values of `options_export.ExportFormat`, whose import would import pydantic; a test compares them.
        Literal["yaml", "kustomize", "helm"],
        "What to write: a file for each object, a base and an overlay for Kustomize, or a Helm chart.",
        default="yaml",
        flags="--as",
        metavar="FORMAT",
    ),
    "shape": Option(
        # The values of `options_export.ChartShape`.
        Literal["templates", "bundle"],
        "With --as helm: a template for each object, or one Bundle that kubeferry restore --from-bundle carries out.",
        default="templates",
        metavar="SHAPE",
    ),
    "out": Option(str, "Folder to write to; - prints the objects, with --as yaml.", metavar="DIR", required=True),
    "force": Option(bool, "Replace the files of an earlier export in that folder; edited files are never touched."),
    "secrets": Option(
        # The values of `options_export.SecretMode`.
        Literal["omit", "include", "external", "age"],
        "Secrets: omit them, include them in clear, write ExternalSecrets, or encrypt them with age for SOPS.",
        default="omit",
        metavar="MODE",
    ),
    "secret_store": Option(
        str, "With --secrets external: the SecretStore, or ClusterSecretStore/NAME.", metavar="[KIND/]NAME"
    ),
    "encrypt_to": Option(
        list[str],
        "With --secrets age: age1…, or a file of recipients; may be repeated.",
        metavar="RECIPIENT",
        parser=rejoined,
    ),
}

DOCTOR: Mapping[str, Option] = {
    "namespaces": _namespaces("Namespaces to check the rights for; by default all."),
    "wait_seconds": Option(
        int, "Longest time for each check, in seconds.", default=30, min=1, max=600, metavar="N", fills="seconds"
    ),
    "rules": Option(bool, "Only print the ClusterRoles that backups and restores need here, as YAML for kubectl."),
}

DEPLOY: Mapping[str, Option] = {
    "namespaces": _namespaces("Namespaces of the nightly backup."),
    "cron": Option(
        list[str],
        "Schedule of the nightly backup (by default at 2), or of another nightly flow; may be repeated.",
        metavar="[FLOW=]CRON",
        parser=parsing.crons,
    ),
    "timezone": Option(str, "Time zone of the schedules, by default UTC.", metavar="ZONE"),
    "keep": Option(
        list[str],
        "Prune every night with this rule of kubeferry prune, such as daily=7; may be repeated.",
        metavar="RULE=NUMBER",
        parser=parsing.rules,
    ),
    "notify": Option(
        str,
        "Prefect block that is notified of runs that failed, are partial or late, such as slack-webhook/operators.",
        metavar="TYPE/NAME",
    ),
    "type_": _type("How the worker runs flows: as processes, or as Jobs.", fills="type"),
    "pool": _name(
        "Name of the work pool; by default kubeferry, or kubeferry-TYPE. Jobs that restore have NAME-restore, too."
    ),
    "image": Option(str, "Image of Kubeferry, for the Jobs of --type kubernetes.", metavar="IMAGE"),
    "kubeconfig": replace(SHARED["kubeconfig"], parser=parsing.absolute),
}

OWN: Mapping[str, Mapping[str, Option]] = {
    "": {"version": Option(bool, "Print the version.", shown=True, callback=print_version, first=True, fills="")},
    "backup": BACKUP,
    "restore": RESTORE,
    "undo": UNDO,
    "approve": APPROVE,
    "migrate": MIGRATE,
    "populate": POPULATE,
    "delete": DELETE,
    "prune": PRUNE,
    "plan": PLAN,
    "diff": DIFF,
    "export": EXPORT,
    "doctor": DOCTOR,
    "deploy": DEPLOY,
    "worker": {
        "type_": _type("How to run flows: as processes, or as Jobs (with the extra kubernetes)."),
        "pool": _name("Name of the work pool; by default that of kubeferry deploy."),
        "limit": Option(int, "How many flow runs may execute at the same time.", default=4, min=1),
    },
    "list": {"restores": Option(bool, "List the restores instead, and how far each came.", shown=True)},
    "show": {
        "backup": replace(
            SHARED["backup"],
            help="Name of the backup or of the restore.",
            metavar="BACKUP|RESTORE",
            completion=completion.both,
        )
    },
    "verify": {"deep": Option(bool, "Also verify each object in the archive, one by one.", shown=True)},
    "sandbox up": {
        "clusters": Option(
            int,
            "Number of clusters: kubeferry-a, kubeferry-b and so on; kubeferry-c and later ones are dual-stack.",
            default=2,
            min=1,
            max=26,
            metavar="N",
        ),
        "tools": Option(
            list[str],
            "Also build this tool (helm); it is then on the PATH of sandbox env.",
            flags="--with",
            metavar="TOOL",
            parser=parsing.tools,
        ),
    },
    "sandbox down": {"purge": Option(bool, "Also delete the clusters and the bucket.", shown=True)},
    "sandbox env": {
        # Not from KUBEFERRY_OUTPUT: `eval` needs shell exports, whatever format the user prefers elsewhere.
        "output": Option(
            Format | None, "How to print it; by default as exports for a shell.", flags="-o --output", panel=WHERE
        )
    },
}
"""The words of a command → its options, by the name of their parameter."""
