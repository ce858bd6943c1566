"""The options that one command alone takes, or that mean something else in it than in others, by command."""

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
"""The group of the rules of prune."""

# What several commands call alike and each explains in its own words.
_name = partial(Option, str, metavar="NAME")
_namespaces = partial(Option, list[str], argument=True, metavar="NAMESPACE")
_restore = partial(Option, str, argument=True, required=True, metavar="RESTORE", completion=completion.restores)
_expect = partial(Option, str, metavar="DIGEST")
_rule = partial(Option, int, default=0, min=0, metavar="N", panel=RULES)
_type = partial(Option, PoolType, default=PoolType.PROCESS, flags="--type")

BACKUP: Mapping[str, Option] = {
    "namespaces": _namespaces(
        "Namespaces to back up.",
        completion=completion.namespaces,
        parser=parsing.chosen,
        reads=("namespace_selector", "all_namespaces"),
    ),
    "name": _name("Name of the backup; else from namespace and time."),
    "keep_completed_jobs": Option(bool, "Carry Jobs that are completed.", panel=WHAT, shown=True),
    "encrypt_to": Option(
        list[str],
        "Encrypt it: age1…, an SSH public key, or a file of such; may be repeated. Velero cannot read it then.",
        metavar="RECIPIENT",
        envvar="KUBEFERRY_ENCRYPT_TO",
        parser=rejoined,
    ),
    "ttl": Option(
        str,
        "Keep it for so long (30d, 12h, 6mo); then kubeferry prune removes it, and Velero where it is at work.",
        metavar="SPAN",
    ),
}

_OR_RESUMED = replace(SHARED["backup"], help="Name of the backup; none with --resume.")

RESTORE: Mapping[str, Option] = {
    "backup": replace(_OR_RESUMED, required=False),
    "name": _name("Name of this restore; else from backup and time."),
    "resume": Option(
        str,
        "Go on with a restore that was cut off: only what is missing, with the options that it began with.",
        metavar="RESTORE",
        completion=completion.restores,
    ),
    "approve": Option(
        bool,
        "Pause before anything is written, with the plan in Prefect's UI, and go on when a person approves.",
    ),
    "approve_seconds": Option(
        int, "Longest time to wait for approval.", default=3600, min=1, max=604800, metavar="SECONDS"
    ),
}

UNDO: Mapping[str, Option] = {
    "restore": _restore("Name of the restore."),
    "wait_seconds": replace(
        SHARED["wait_seconds"],
        help="Longest time for one level to go; namespaces get four times that.",
        default=60,
    ),
}

APPROVE: Mapping[str, Option] = {
    "restore": _restore("Name of the restore that waits, or the id of its flow run."),
    "refuse": Option(str | None, "End it instead; it is told the reason.", metavar="REASON"),
}

MIGRATE: Mapping[str, Option] = {
    "namespaces": _namespaces("Namespaces to migrate."),
    "from_context": Option(
        str,
        "Context of the cluster that they come from; else the kubeconfig's current one.",
        metavar="NAME",
        panel=WHERE,
        envvar="KUBEFERRY_FROM_CONTEXT",
    ),
    "to_context": Option(
        str,
        "Context of the cluster that they go to.",
        metavar="NAME",
        panel=WHERE,
        envvar="KUBEFERRY_TO_CONTEXT",
    ),
    "name": _name("Name of the migration; else from namespaces and time."),
    "resume": Option(
        str,
        "Go on with a migration that was cut off or partly failed: only the namespaces that are missing.",
        metavar="MIGRATION",
    ),
    "fan_out": Option(
        # The values of `options_migration.FanOut`, which cost the import of pydantic; a test compares them.
        Literal["here", "deployment"],
        "Restore each namespace here, or by a flow run of its own of a deployment, which workers take.",
        default="here",
        metavar="WHERE",
    ),
    "deployment": Option(
        str,
        "With --fan-out deployment: that of the flow migrate-namespace.",
        default="migrate-namespace/on-demand",
        metavar="FLOW/NAME",
    ),
}

POPULATE: Mapping[str, Option] = {
    "backup": replace(SHARED["backup"], completion=None),
    "into": Option(
        list[str],
        "Namespaces to make; may be repeated.",
        metavar="NS[,NS…]",
        parser=files.into,
        reads=("into_file",),
    ),
    "into_file": Option(
        Path | None,
        "Namespaces to make and their parameters, CSV or YAML: name, labels, annotations, replicas, hosts, rules.",
        metavar="FILE",
        folders=False,
        fills="",
    ),
    "template": Option(
        str,
        "Namespace of the backup to take, where it holds more than one.",
        metavar="NAMESPACE",
        parser=parsing.optional,
    ),
    "name": _name("Name of this run, else BACKUP-populate: the same again does only what is missing."),
}

DELETE: Mapping[str, Option] = {
    "bundle": Option(str, "Name of the bundle, which is that of its restore.", argument=True, metavar="BUNDLE"),
    "namespace": replace(
        SHARED["namespace"],
        help="Namespace of the bundle (else it is looked for), or in which to look for labels; may be repeated.",
        panel=None,
        completion=completion.namespaces,
    ),
    "selector": replace(
        SHARED["selector"],
        help="Instead of a bundle, all that a backup would save with these labels.",
        panel=None,
    ),
    "dry_run": Option(bool, "Only show what would go, and who still needs it."),
    "expect": _expect("Delete nothing unless the group is still the one with this digest, which --dry-run tells."),
    "wait_seconds": replace(SHARED["wait_seconds"], help="Longest time to wait for one level to go.", default=120),
}

PRUNE: Mapping[str, Option] = {
    "keep_within": Option(
        str,
        "All that are younger: 30d, 12h, 2w, 6mo, 1y.",
        metavar="SPAN",
        panel=RULES,
        parser=partial(parsing.span, option="--keep-within"),
    ),
    "keep_last": _rule("The newest N."),
    "keep_hourly": _rule("The last of each of N hours."),
    "keep_daily": _rule("The last of each of N days."),
    "keep_weekly": _rule("The last of each of N weeks."),
    "keep_monthly": _rule("The last of each of N months."),
    "keep_yearly": _rule("The last of each of N years."),
    "restores_within": Option(
        str,
        "Also remove what is kept of restores that ended longer ago; they cannot be undone then.",
        metavar="SPAN",
        parser=partial(parsing.span, option="--restores-within"),
    ),
    "velero": Option(bool, "Prune the backups that Velero made, too."),
    "dry_run": Option(bool, "Only show what would go, and why."),
    "expect": _expect("Remove nothing unless it is still exactly what has this digest, which --dry-run tells."),
}

PLAN: Mapping[str, Option] = {
    "backup": _OR_RESUMED,
    "kubectl": Option(
        bool, "Print a bash script that does the restore by kubectl alone; it holds the Secrets!", shown=True
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
        "Compare with this backup of the same store, not with a cluster.",
        metavar="BACKUP",
        completion=completion.backups,
    ),
    "unified": Option(bool, "Show also a unified diff of each object, as YAML.", default=True),
}

DOCTOR: Mapping[str, Option] = {
    "namespaces": _namespaces(
        "Namespaces whose backup or restore is meant; else the rights for all of them are asked for.",
        completion=completion.namespaces,
    ),
    "wait_seconds": Option(
        int, "Longest time of each check, in seconds.", default=30, min=1, max=600, metavar="N", fills="seconds"
    ),
}

DEPLOY: Mapping[str, Option] = {
    "namespaces": _namespaces("Namespaces of the nightly backup."),
    "cron": Option(
        list[str],
        "When the nightly backup runs (else at 2), or another nightly flow; may be repeated.",
        metavar="[FLOW=]CRON",
        parser=parsing.crons,
    ),
    "timezone": Option(str, "Time zone of the schedules, else UTC.", metavar="ZONE"),
    "keep": Option(
        list[str],
        "Prune every night, and keep by this rule of kubeferry prune, such as daily=7; may be repeated.",
        metavar="RULE=NUMBER",
        parser=parsing.rules,
    ),
    "notify": Option(
        str,
        "Prefect block that is told of runs that failed, are partial or late, such as slack-webhook/operators.",
        metavar="TYPE/NAME",
    ),
    "type_": _type("How the worker runs flows: as processes, or as Jobs.", fills="type"),
    "pool": _name("Name of the work pool; else kubeferry, or kubeferry-TYPE."),
    "image": Option(str, "Image of Kubeferry, for Jobs of --type kubernetes.", metavar="IMAGE"),
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
    "doctor": DOCTOR,
    "deploy": DEPLOY,
    "worker": {
        "type_": _type("How to run flows: as processes, or as Jobs (with the extra kubernetes)."),
        "pool": _name("Name of the work pool; else as of kubeferry deploy."),
        "limit": Option(int, "How many flow runs may be under way at once.", default=4, min=1),
    },
    "list": {"restores": Option(bool, "The restores instead, with how far each came.", shown=True)},
    "show": {
        "backup": replace(
            SHARED["backup"],
            help="Name of the backup or of the restore.",
            metavar="BACKUP|RESTORE",
            completion=completion.both,
        )
    },
    "verify": {"deep": Option(bool, "Also each object in the archive, one by one.", shown=True)},
    "sandbox up": {
        "clusters": Option(int, "How many: kubeferry-a, kubeferry-b and so on.", default=2, min=1, max=26, metavar="N")
    },
    "sandbox down": {"purge": Option(bool, "Delete the clusters and the bucket too.", shown=True)},
    "sandbox env": {
        # Not from KUBEFERRY_OUTPUT: `eval` needs the shell's form whatever a user likes to look at.
        "output": Option(Format | None, "Else exports for a shell.", flags="-o --output", panel=WHERE)
    },
}
"""By the words of a command, its options by the name of their parameter."""
