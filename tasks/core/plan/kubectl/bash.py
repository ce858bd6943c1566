"""The bash functions of the script that `kubeferry plan --kubectl` prints: bash builtins and kubectl only.

An object's JSON is never part of a command line, whose words are limited to 128 KiB: it comes in a quoted
here-document, is kept in a variable, and goes to kubectl's stdin. Objects are looked up by their own apiVersion, kind,
namespace and name, because a short name may be that of another kind. Chains of look-ups go from object to object by
uid, never by labels, like lookup/follow.py; each step fails while something does not exist yet, and `look_up` retries
until a time limit. The script works in bash 3.2 (macOS) and needs kubectl 1.31 or newer.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.jsondoc.printable import one_line

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.objects import Ref


LIBRARY = r"""
set -euo pipefail
CONTEXT=${1:-${CONTEXT:-}}            # from your kubeconfig; empty: the current context
KUBECTL=${KUBECTL:-kubectl}
WAIT_SECONDS=${WAIT_SECONDS:-300}     # for each level to become ready, and for each value to look up
LC_ALL=C                              # bytes: contents pass through unchanged

again=''                              # set when a namespace exists: its objects may exist, too
created=0 there=0 merged=0 late=0 notes='' deadline=0
what='' identity='' body='' spare='' owners=''

k() { "$KUBECTL" ${CONTEXT:+--context "$CONTEXT"} "$@"; }
# said TEXT: as one line without control characters: a server may quote what an object holds
said() { REPLY=${1//[[:cntrl:]]/ }; }
say() { local REPLY; said "$*"; printf '%s\n' "$REPLY"; }
note() { local REPLY; said "$*"; notes="$notes  $REPLY"$'\n'; say "note      $*"; }
fail() {
  said "$*"
  printf 'error: %s\nRun the script again to continue: existing objects are not changed.\n' "$REPLY" >&2
  exit 1
}
trap 'printf "error: line %s failed\n" "$LINENO" >&2' ERR

# pause SECONDS: sleep, without an external program
pause() { { read -r -t "$1" _ <> <(:); } 2>/dev/null || [[ $? -gt 128 ]] || sleep "$1"; }

# begin TITLE: start a level, and the time within which it must become ready
begin() { say "== $1"; deadline=$((SECONDS + WAIT_SECONDS)); }
left() { local rest=$((deadline - SECONDS)); printf '%s' "$((rest > 1 ? rest : 1))"; }

# object WHAT IDENTITY < JSON: the object of the next commands
object() { what=$1 identity=$2 spare='' owners=''; IFS= read -r -d '' body || true; }
# otherwise < JSON: the same Service without the node ports and addresses that it asks for, if it cannot have them
otherwise() { IFS= read -r -d '' spare || true; }

# put TOKEN VALUE: write VALUE in place of every TOKEN of the object
put() { replace "$body" "$1" "$2"; body=$REPLY; replace "$spare" "$1" "$2"; spare=$REPLY; }
replace() {
  local rest=$1 head
  REPLY=''
  while head=${rest%%"$2"*}; [[ ${#head} -ne ${#rest} ]]; do
    REPLY=$REPLY$head$3 rest=${rest:$((${#head} + ${#2}))}
  done
  REPLY=$REPLY$rest
}

# uid_of IDENTITY: the uid of an object on the target, nothing if it does not exist
uid_of() { k get -f - -o 'jsonpath={.items[*].metadata.uid}' --ignore-not-found <<<"$1" 2>/dev/null || true; }
# owner WHAT IDENTITY REFERENCE: one owner of the object; REFERENCE is its JSON up to the uid
owner() {
  local uid
  uid=$(uid_of "$2")
  if [[ -n $uid ]]; then
    owners="$owners${owners:+,}$3$uid\"}"
  else
    note "$what is not owned by $1, which is not on the target"
  fi
}

found() {
  there=$((there + 1))
  say "exists    $what: not changed"
}
# create: create the object; an existing one is not changed. If it may exist, it is looked up first: a create that
# fails counts against a quota until the quota is recalculated
create() {
  local out try
  if [[ -n $again && -n $(uid_of "$identity") ]]; then
    found
    return
  fi
  for try in 1 2 3 4 5; do
    if out=$(k create --validate=warn -f - <<<"$body" 2>&1); then
      created=$((created + 1))
      say "created   $what"
      return
    fi
    case $out in
      *'(AlreadyExists)'*)
        found
        return ;;
      *'port is already allocated'*)
        [[ -n $spare ]] || fail "$what: $out"
        body=$spare spare=''
        note "$what: another Service has its node port: the target allocates another" ;;
      *'failed to allocate IP'* | *'not configured on this cluster'*)
        [[ -n $spare ]] || fail "$what: $out"
        body=$spare spare=''
        note "$what: the target cannot grant the address that it asks for: it allocates another" ;;
      *'(Conflict)'* | *'(ServiceUnavailable)'* | *'(TooManyRequests)'* | *'(InternalError)'* | *'(Timeout)'*)
        pause "$try" ;;
      *) fail "$what: $out" ;;
    esac
  done
  fail "$what: $out"
}
# namespace: like create
namespace() {
  local before=$there
  create
  [[ $there -eq $before ]] || again=1
}
# account NAMESPACE NAME: like create; an existing account gets what it lacks
account() {
  local out
  if out=$(k create --validate=warn -f - <<<"$body" 2>&1); then
    created=$((created + 1))
    say "created   $what"
  elif [[ $out == *'(AlreadyExists)'* ]]; then
    k patch -n "$1" --type strategic --patch-file /dev/stdin -- serviceaccount "$2" <<<"$body" >/dev/null
    merged=$((merged + 1))
    say "merged    $what"
  else
    fail "$what: $out"
  fi
}
# relink: set the owners of an object that was created before them
relink() {
  k patch -f - --type merge -p "{\"metadata\":{\"ownerReferences\":[$owners]}}" <<<"$identity" >/dev/null
  say "re-linked $what"
}

not_ready() { late=$((late + 1)); note "$1 is not ready: ${2##*$'\n'}"; }
# ready_by FOR WHAT IDENTITY: wait for a condition or a field, as `kubectl wait --for` takes it
ready_by() {
  local out
  if out=$(k wait --for="$1" --timeout="$(left)s" -f - <<<"$3" 2>&1); then
    say "ready     $2"
  else
    not_ready "$2" "$out"
  fi
}
ready_rollout() {
  local out
  if out=$(k rollout status --timeout="$(left)s" -f - <<<"$2" 2>&1); then
    say "ready     $1"
  else
    not_ready "$1" "$out"
  fi
}
# ready_claim: wait until it is bound, unless it binds to a volume only when a pod uses it
ready_claim() {
  local out class volume mode='' old='{.items[*].metadata.annotations.volume\.beta\.kubernetes\.io/storage-class}'
  out=$(k get -f - -o "jsonpath=$old"'{"|"}{.items[*].spec.storageClassName}{"|"}{.items[*].spec.volumeName}' <<<"$2")
  IFS='|' read -r old class volume <<<"$out"
  class=${old:-$class}
  if [[ -n $class && -z $volume ]]; then
    mode=$(k get -o 'jsonpath={.volumeBindingMode}' -- storageclass "$class" 2>/dev/null || true)
  fi
  if [[ $mode == WaitForFirstConsumer ]]; then
    say "ready     $1: is bound when a pod uses it"
  else
    ready_by 'jsonpath={.status.phase}=Bound' "$1" "$2"
  fi
}
# ready_custom: wait for the condition Ready, if it has one
ready_custom() {
  local out
  out=$(k get -f - -o 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}' <<<"$2")
  [[ -z $out ]] || ready_by condition=Ready "$1" "$2"
}
# served GROUP/VERSION PLURAL: wait until the API server serves a kind
served() {
  until [[ $(k get --raw "/apis/$1" 2>/dev/null || true) == *"\"name\":\"$2\""* ]]; do
    [[ $SECONDS -lt $deadline ]] || fail "$2 of $1 is not served within $WAIT_SECONDS s"
    pause 1
  done
}
# ready_namespace NAME: wait for the service account `default`, without which pods are refused
ready_namespace() {
  k wait --for=create --timeout="$(left)s" -n "$1" serviceaccount/default >/dev/null ||
    fail "namespace $1 has no service account default"
}
finish() {
  say "== $created created, $there existed, $merged merged, $late not ready; $SECONDS s"
  [[ -z $notes ]] || printf 'Notes:\n%s' "$notes"
  [[ $late -eq 0 ]] || exit 3
}
"""


STEPS = r"""
at_type='' at_ns='' at_name='' at_uid='' gone=''
OWNER='{{range .metadata.ownerReferences}}{{if .controller}}{{.uid}}{{end}}{{end}}'

# find TYPE NAMESPACE NAME: go to an object that exists and is not being deleted
find() {
  local out
  at_type=$1 at_ns=$2 at_name=$3
  out=$(k get ${2:+-n "$2"} --ignore-not-found -o 'jsonpath={.metadata.uid}|{.metadata.deletionTimestamp}' \
    -- "$1" "$3" 2>/dev/null) || return 1
  at_uid=${out%%|*}
  [[ -n $at_uid && ${out#*|} == '' ]]
}
# named POD: the pod of that name, if the object before controls it
named() {
  local before=$at_uid out
  find Pod.v1. "$at_ns" "$1" || return 1
  out=$(k get -n "$at_ns" -o "go-template=$OWNER" -- Pod.v1. "$1" 2>/dev/null) || return 1
  [[ $out == "$before" ]]
}
# newest TYPE: of those that the object before controls
newest() {
  local out name first second made gone owner best='' best_number=-1 best_made=''
  out=$(k get -n "$at_ns" -o "go-template={{range .items}}{{.metadata.name}}|{{with .metadata.annotations}}\
{{index . \"deployment.kubernetes.io/revision\"}}|{{index . \"rollout.argoproj.io/revision\"}}{{else}}|{{end}}|\
{{.metadata.creationTimestamp}}|{{.metadata.deletionTimestamp}}|$OWNER{{\"\\n\"}}{{end}}" -- "$1" \
    2>/dev/null) || return 1
  while IFS='|' read -r name first second made gone owner; do
    [[ $owner == "$at_uid" && $gone == '<no value>' ]] || continue
    [[ $first =~ ^[0-9]{1,18}$ ]] || first=0
    [[ $second =~ ^[0-9]{1,18}$ ]] || second=0
    first=$((10#$first)) second=$((10#$second))
    [[ $first -ge $second ]] || first=$second
    if [[ $first -gt $best_number || ( $first -eq $best_number && ! "$made$name" < "$best_made$best" ) ]]; then
      best=$name best_number=$first best_made=$made
    fi
  done <<<"$out"
  [[ -n $best ]] && find "$1" "$at_ns" "$best"
}
# pod ORDINAL OF: one of its ready pods by name, when as many are ready as there were or as it wants now
pod() {
  local out name gone phase owner ready count=0 found='' of=$2
  out=$(k get -n "$at_ns" -o 'jsonpath={.spec.replicas}' -- "$at_type" "$at_name" 2>/dev/null) || return 1
  [[ ! $out =~ ^[0-9]+$ || $out -ge $of ]] || of=$out
  [[ $of -gt $1 ]] || of=$(($1 + 1))
  out=$(k get Pod.v1. -n "$at_ns" -o "go-template={{range .items}}{{.metadata.name}}|\
{{.metadata.deletionTimestamp}}|{{.status.phase}}|$OWNER|{{range .status.conditions}}{{if eq .type \"Ready\"}}\
{{.status}}{{end}}{{end}}{{\"\\n\"}}{{end}}" 2>/dev/null) || return 1
  while IFS='|' read -r name gone phase owner ready; do
    [[ $owner == "$at_uid" && $gone == '<no value>' && ( $phase == Succeeded || $ready == True ) ]] || continue
    [[ $count -ne $1 ]] || found=$name
    count=$((count + 1))
  done <<<"$out"
  [[ $count -ge $of ]] && find Pod.v1. "$at_ns" "$found"
}
# node NAME ORDINAL ROLES: the one of that name, else one of those with these roles, by name
node() {
  local out name labels label roles count=0 found=''
  find Node.v1. '' "$1" && return 0
  out=$(k get Node.v1. -o "go-template={{range .items}}{{.metadata.name}}|{{range \$key, \$_ := .metadata.labels}}\
{{\$key}} {{end}}{{\"\\n\"}}{{end}}" 2>/dev/null) || return 1
  while IFS='|' read -r name labels; do
    roles=''
    for label in $labels; do
      [[ $label != node-role.kubernetes.io/* ]] || roles="$roles${roles:+ }${label#*/}"
    done
    [[ $roles == "$3" ]] || continue
    [[ $count -ne $2 ]] || found=$name
    count=$((count + 1))
  done <<<"$out"
  [[ -n $found ]] && find Node.v1. '' "$found"
}
# value JSONPATH FAMILY INDEX: the value of that address family among the lines that are read
value() {
  local out line seen=$'\n' count=0
  out=$(k get ${at_ns:+-n "$at_ns"} -o "jsonpath=$1" -- "$at_type" "$at_name" 2>/dev/null) || return 1
  while IFS= read -r line; do
    [[ -n $line && $line != None && $seen != *$'\n'"$line"$'\n'* ]] || continue
    case $2 in
      IPv6) [[ $line == *:* ]] || continue ;;
      IPv4) [[ $line =~ ^[0-9.]+$ ]] || continue ;;
      host) [[ $line != *:* && ! $line =~ ^[0-9.]+$ ]] || continue ;;
    esac
    seen="$seen$line"$'\n'
    [[ $count -ne $3 ]] || { REPLY=$line; return 0; }
    count=$((count + 1))
  done <<<"$out"
  return 1
}
# field JSONPATH: the value at that path, whatever it is
field() {
  REPLY=$(k get ${at_ns:+-n "$at_ns"} -o "jsonpath=$1" -- "$at_type" "$at_name" 2>/dev/null && printf .) ||
    return 1
  REPLY=${REPLY%.}
}
# look_up NUMBER CHAIN POLICY OLD: call the function `chain` until it has a value, once for each NUMBER; REPLY is
# what to write, and `gone` is set if the string with the value is to be removed. A value that may be absent is not
# waited for if `begins` finds nothing
look_up() {
  local last=$((SECONDS + WAIT_SECONDS)) known=found_$1 never=never_$1
  REPLY=${!known:-} gone=''
  [[ -z $REPLY ]] || return 0
  if [[ -z ${!never:-} ]]; then
    until REPLY='' && chain && [[ -n $REPLY ]]; do
      if [[ $SECONDS -ge $last ]] || { [[ $3 != fail ]] && ! begins; }; then
        absent "$2" "$3" "$4"
        printf -v "$never" 1
        return
      fi
      pause 1
    done
    printf -v "$known" '%s' "$REPLY"
    say "found     $2"
  else
    absent "$2" "$3" "$4"
  fi
}
# absent CHAIN POLICY OLD: apply the policy for a value that does not exist
absent() {
  case $2 in
    keep) note "$what: nothing found by $1: the old value stays"; REPLY=$3 ;;
    empty) note "$what: nothing found by $1: left empty"; REPLY='' ;;
    drop) note "$what: nothing found by $1: removed"; REPLY='' gone=1 ;;
    *) fail "$what: nothing found by $1 within $WAIT_SECONDS s" ;;
  esac
}
# drop GONE < PART, and on the next line its replacement: only if GONE is set
drop() {
  local old new
  IFS= read -r old
  IFS= read -r new
  [[ -z $1 ]] || put "$old" "${new:-$NOTHING}"
}
# tidy: remove the remaining commas; NOTHING occurs in no JSON
NOTHING=$'\036'
tidy() { put ",$NOTHING" ''; put "$NOTHING," ''; put "$NOTHING" ''; }
# json TEXT: as written inside a JSON string
json() {
  REPLY=${1//\\/\\\\}
  REPLY=${REPLY//\"/\\\"} REPLY=${REPLY//$'\n'/\\n} REPLY=${REPLY//$'\r'/\\r} REPLY=${REPLY//$'\t'/\\t}
  [[ $REPLY == *[[:cntrl:]]* ]] || return 0
  local rest=$REPLY char
  REPLY=''
  while [[ -n $rest ]]; do
    char=${rest:0:1} rest=${rest:1}
    [[ $char != [[:cntrl:]] ]] || printf -v char '\\u%04x' "'$char"
    REPLY=$REPLY$char
  done
}
# text < TEXT: a text that the object holds in base64; in_text TOKEN VALUE; encode TOKEN: write it there
text() { IFS= read -r -d '' inside || true; inside=${inside%$'\n'}; }
in_text() { replace "$inside" "$1" "$2"; inside=$REPLY; }
encode() {
  local out
  out=$(printf '%s' "$inside" | base64)
  put "$1" "${out//$'\n'/}"
}
# change TYPE NAMESPACE NAME: patch an object that was created before what it refers to; `object` read the patch, and
# `otherwise` the one that first creates the maps that the API server dropped as empty
change() {
  local way out=''
  for way in "$body" "$spare"; do
    [[ -n $way ]] || continue
    if out=$(k patch ${2:+-n "$2"} --type json --patch-file /dev/stdin -- "$1" "$3" <<<"$way" 2>&1); then
      say "patched   $what"
      return
    fi
  done
  fail "$what: its late values cannot be patched in: $out"
}
"""


def heredoc(text: str) -> str:
    """Return a text as a quoted here-document, which bash does not interpret and no line of the text ends."""
    mark = "KUBEFERRY"
    while mark in text.split("\n"):
        mark += "_"
    return f"<<'{mark}'\n{text}\n{mark}\n"


def identity(ref: Ref, api_version: str) -> str:
    """Return the JSON with which `kubectl get -f -` finds an object, whatever other kinds share its name."""
    meta = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
    return orjson.dumps({"apiVersion": api_version, "kind": ref.kind, "metadata": meta}).decode()


def named(ref: Ref, api_version: str) -> str:
    """Return an object for people and for kubectl, as two words of bash."""
    return shlex.join([one_line(str(ref)), identity(ref, api_version)])
