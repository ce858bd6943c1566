"""The options that mean the same in every command that has them, each declared once; and groups of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kubeferry.flows.options import completion, files, parsing
from kubeferry.flows.options.common import Format, note_debug, note_signing, note_verifying
from kubeferry.flows.options.option import Option
from kubeferry.tasks.core.formats.recipients import rejoined

if TYPE_CHECKING:
    from collections.abc import Mapping

WHAT = "What of it"
"""The group of the options that select objects, in each command's help."""

WHERE = "Where and how"
"""The group of the options that nearly all commands have."""

KINDS = "selector annotation_selector include exclude include_name exclude_name only cluster_wide"
OF_CLUSTER = "all_namespaces namespace_selector exclude_namespace"
OF_BACKUP = f"namespace namespace_selector exclude_namespace {KINDS}"
"""Options that select objects; namespaces of a cluster; namespaces and objects of a backup."""

MANNER = (
    "existing owned status finalizers no_rewrite rewrite_also rewrite_rules at_rest absent keep_encrypted allow_plain "
    "allow_pruned allow_source subjects on_failure no_rollback rollback_on_failure bundle no_bundle wait wait_seconds"
)
"""How to restore, for commands that run many restores."""

PLACE = "context kubeconfig store"
"""Cluster and store."""

SIGNED = "sign_with verify_with"
"""Keys of a command that writes records into the store and reads some."""

CHOOSING: Mapping[str, Option] = {
    "namespace": Option(
        list[str],
        "Only this namespace of the backup, by its original name; may be repeated.",
        flags="-n --namespace",
        metavar="NAMESPACE",
        panel=WHAT,
        fills="namespaces",
    ),
    "all_namespaces": Option(
        bool,
        "All namespaces except kube-*, which must be named.",
        flags="-A --all-namespaces",
        panel=WHAT,
    ),
    "namespace_selector": Option(str, "Also the namespaces with these labels.", metavar="LABELS", panel=WHAT),
    "exclude_namespace": Option(
        list[str],
        "Exclude this namespace, or all that match a pattern such as 'test-*'; may be repeated.",
        metavar="NAMESPACE",
        panel=WHAT,
    ),
    "selector": Option(
        str,
        "Only objects with these labels, in the syntax of kubectl's -l.",
        flags="-l --selector",
        metavar="LABELS",
        panel=WHAT,
    ),
    "annotation_selector": Option(
        str, "Only objects with these annotations, in the same syntax.", metavar="ANNOTATIONS", panel=WHAT
    ),
    "include": Option(
        list[str], "Only this kind, such as deployments.apps; may be repeated.", metavar="KIND", panel=WHAT
    ),
    "exclude": Option(list[str], "Exclude this kind; may be repeated.", metavar="KIND", panel=WHAT),
    "include_name": Option(
        list[str],
        "Only objects with this name, such as deployments/web or 'secrets/tmp-*'; may be repeated.",
        metavar="[KIND/]NAME",
        panel=WHAT,
    ),
    "exclude_name": Option(
        list[str],
        "Exclude objects with this name, in the same syntax; may be repeated.",
        metavar="[KIND/]NAME",
        panel=WHAT,
    ),
    "only": Option(bool, "Only the selected objects, without what they need.", panel=WHAT),
    "cluster_wide": Option(
        # The values of `options.ClusterWide`, whose import would import pydantic; a test compares them.
        Literal["carry", "report", "none"],
        "Cluster-wide objects, and those of other namespaces, that the namespaces need or that belong to them: carry "
        "them, report them as not carried, or neither.",
        default="carry",
        metavar="WHAT",
        panel=WHAT,
    ),
}
"""Select namespaces and their objects."""

RESTORING: Mapping[str, Option] = {
    "rename": Option(
        list[str],
        "Restore namespace SRC as DST; may be repeated.",
        flags="--map",
        metavar="SRC=DST",
        parser=parsing.pairs,
        fills="map",
    ),
    "existing": Option(
        list[str],
        "What to do with an object that exists with other content: fail (the default), skip, update or recreate; "
        "KIND=MODE for one kind, such as secrets=skip; may be repeated.",
        metavar="[KIND=]MODE",
        parser=parsing.modes,
        fills="existing existing_kinds",
    ),
    "owned": Option(
        # The values of `options.Owned`, whose import would import pydantic; a test compares them.
        Literal["rebuild", "keep"],
        "What to do with objects that their controller re-creates: rebuild leaves them to it, keep restores them.",
        default="rebuild",
        metavar="MODE",
    ),
    "modify": Option(
        list[Path],
        "YAML file of modifications: labels, replicas, hosts, rules with patches; or Velero's resource modifiers, "
        "as they are. May be repeated.",
        metavar="FILE",
        parser=files.modifications,
    ),
    "no_rewrite": Option(
        list[str],
        "With --map, do not rewrite a class (dns, setting…) or a place, such as 'ConfigMap shop/notes /data/*'.",
        metavar="CLASS|GLOB",
    ),
    "rewrite_also": Option(
        list[str],
        "With --map, rewrite also what is left: a class (word, base64, url, key) or a place, such as "
        "'ConfigMap shop/notes /data/*'.",
        metavar="CLASS|GLOB",
    ),
    "rewrite_rules": Option(
        list[Path],
        "YAML file of what to rewrite also: a list of kind, place and template, such as 'queue-of-{namespace}'. May be "
        "repeated.",
        metavar="FILE",
        parser=files.rewrite_rules,
    ),
    "absent": Option(
        list[str],
        "What to do if the target has no value for a class (pod-ip, service-ip, uid…): keep, drop, empty or fail.",
        metavar="CLASS=POLICY",
        parser=parsing.policies,
    ),
    "keep_encrypted": Option(
        list[str],
        "Encrypt what is kept of objects that a restore changes, for age1…, an SSH public key, or a file of them.",
        flags="--encrypt-to",
        metavar="RECIPIENT",
        envvar="KUBEFERRY_ENCRYPT_TO",
        parser=rejoined,
        fills="encrypt_to",
    ),
    "allow_plain": Option(bool, "Take what is not encrypted, although keys are given."),
    "allow_pruned": Option(bool, "Restore without the fields that the target's kinds do not have, and report each."),
    "allow_source": Option(
        list[str],
        "Let annotations read values from this object of another namespace, such as ConfigMap/bank/rates; may be "
        "repeated.",
        metavar="KIND/NAMESPACE/NAME",
        fills="allow_sources",
    ),
    "subjects": Option(
        # The values of `options.Subjects`, as above.
        Literal["restored", "all"],
        "Who gets the rights of a ClusterRoleBinding on another cluster or under a new name: those of its subjects "
        "that are restored, or all of them.",
        default="restored",
        metavar="WHO",
    ),
    "status": Option(
        list[str],
        "Restore the status of this kind, too, or of several (KIND,KIND); may be repeated.",
        metavar="KIND",
        parser=parsing.words,
    ),
    "finalizers": Option(
        # The values of `options.Finalizers`, as above.
        Literal["auto", "keep", "drop"],
        "Finalizers of controllers outside of Kubernetes: give back those that something on the target can remove "
        "(auto), keep all, or drop all.",
        default="auto",
        metavar="MODE",
    ),
    "on_failure": Option(
        # The values of `options.OnFailure`, as above.
        Literal["rollback", "continue", "stop"],
        "When the target refuses an object or the restore fails: roll back, continue without what is refused and what "
        "needs it, or stop and leave all as it is.",
        default="rollback",
        metavar="MODE",
        parser=parsing.on_failure,
        reads=("no_rollback",),
    ),
    "no_rollback": Option(bool, "As --on-failure stop.", fills=""),
    "rollback_on_failure": Option(bool, "Roll back what is not ready in time, too; otherwise it stays."),
    "at_rest": Option(
        bool,
        "Restore at rest: no replicas, Jobs and CronJobs suspended, no load balancers; the result says how to wake "
        "each up.",
    ),
    "bundle": Option(
        # The values of `options.BundleMode` but for `none`, as above.
        Literal["list", "own"],
        "Create a bundle that lists what is created, for kubeferry delete; or one that owns it, so that kubectl delete "
        "bundle deletes it too.",
        default="list",
        metavar="MODE",
        parser=parsing.bundle,
        reads=("no_bundle",),
    ),
    "no_bundle": Option(bool, "Create no bundle.", fills=""),
    "wait": Option(bool, "Wait after each level until its objects are ready.", default=True),
    "wait_seconds": Option(
        int, "Longest time to wait for one level.", default=300, min=1, max=86400, metavar="SECONDS"
    ),
    "side_by_side": Option(
        int, "How many namespaces are restored at the same time.", default=6, min=1, max=64, metavar="N"
    ),
}
"""How to restore."""

REMOVING: Mapping[str, Option] = {
    "force_finalizers": Option(
        bool, "Remove the finalizers of what is not deleted in time; what they wait for is then never done."
    ),
    "yes": Option(bool, "Do not ask for confirmation.", flags="-y --yes"),
}
"""How to delete."""

COMMON: Mapping[str, Option] = {
    "backup": Option(
        str,
        "Name of the backup.",
        argument=True,
        required=True,
        metavar="BACKUP",
        completion=completion.backups,
    ),
    "context": Option(
        str,
        "Context of the kubeconfig; by default its current one, or the cluster of the pod that this runs in.",
        metavar="NAME",
        panel=WHERE,
        envvar="KUBEFERRY_CONTEXT",
        completion=completion.contexts,
    ),
    "kubeconfig": Option(
        str,
        "Path of the kubeconfig; by default KUBECONFIG, or the user's own.",
        metavar="PATH",
        panel=WHERE,
        envvar="KUBEFERRY_KUBECONFIG",
    ),
    "store": Option(
        str,
        "file:///folder or s3://bucket/prefix, with ?endpoint=… and &region=…; by default a folder of the user's data.",
        metavar="URL",
        panel=WHERE,
        envvar="KUBEFERRY_STORE",
    ),
    "identity": Option(
        list[Path],
        "File with a secret key, of age or SSH, that decrypts an encrypted backup; may be repeated.",
        metavar="FILE",
        panel=WHERE,
        envvar="KUBEFERRY_IDENTITY",
        parser=parsing.paths,
        fills="identities",
    ),
    "sign_with": Option(
        str,
        "File with a private key of SSH, without passphrase, that signs what this writes into the store; also "
        "KUBEFERRY_SIGN_WITH.",
        metavar="KEY",
        panel=WHERE,
        callback=note_signing,
        fills="",
    ),
    "verify_with": Option(
        str,
        "File of public keys of SSH: nothing is taken from the store that none of them signed; also "
        "KUBEFERRY_VERIFY_WITH.",
        metavar="KEYS",
        panel=WHERE,
        callback=note_verifying,
        fills="",
    ),
    "output": Option(
        Format,
        "How to print the result.",
        default=Format.TABLE,
        flags="-o --output",
        panel=WHERE,
        envvar="KUBEFERRY_OUTPUT",
    ),
    "debug": Option(
        bool,
        "Show tracebacks and Prefect's log.",
        panel=WHERE,
        envvar="KUBEFERRY_DEBUG",
        shown=True,
        callback=note_debug,
        fills="",
    ),
}
"""Options that nearly all commands have."""

SHARED: Mapping[str, Option] = {**CHOOSING, **RESTORING, **REMOVING, **COMMON}
"""All shared options, by the name of their parameter."""
