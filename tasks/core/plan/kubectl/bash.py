"""The bash functions of the script that `kubeferry plan --kubectl` prints: bash's own commands and kubectl, no more.

An object's JSON never stands on a command line, which holds 128 KiB a word: it comes in a quoted here-document, is kept
in a variable, and goes to kubectl's stdin. Objects are looked up by their own apiVersion, kind, namespace and name, so
that no short name of a kind can be taken for another's. It works in bash 3.2 (macOS) and needs kubectl 1.31 or newer.

The bash functions by which the script of `kubeferry plan --kubectl` follows a chain of look-ups and writes a value.

They walk from object to object by uid, never by labels, as chain_pick.py does; each fails while something is not there
yet, and `look_up` tries again until a time limit. What they read comes from kubectl's own templates.

How text stands in the script of `kubeferry plan --kubectl`: for bash, for people, and for kubectl.
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
CONTEXT=${1:-${CONTEXT:-}}            # of your kubeconfig; empty: its current one
KUBECTL=${KUBECTL:-kubectl}
WAIT_SECONDS=${WAIT_SECONDS:-300}     # for each level to become ready, and for each value that is looked up
LC_ALL=C                              # bytes: contents pass through as they are

again=''                              # set when a namespace was there: its objects may be, too
created=0 there=0 merged=0 late=0 notes='' deadline=0
what='' identity='' body='' spare='' owners=''

k() { "$KUBECTL" ${CONTEXT:+--context "$CONTEXT"} "$@"; }
# said TEXT: as one line in which nothing is a terminal's command: a server may quote what an object holds
said() { REPLY=${1//[[:cntrl:]]/ }; }
say() { local REPLY; said "$*"; printf '%s\n' "$REPLY"; }
note() { local REPLY; said "$*"; notes="$notes  $REPLY"$'\n'; say "note      $*"; }
fail() {
  said "$*"
  printf 'error: %s\nRun the script again to go on: what is there already is left as it is.\n' "$REPLY" >&2
  exit 1
}
trap 'printf "error: line %s failed\n" "$LINENO" >&2' ERR

# pause SECONDS: sleep, without a program
pause() { { read -r -t "$1" _ <> <(:); } 2>/dev/null || [[ $? -gt 128 ]] || sleep "$1"; }

# begin TITLE: a level begins, and the time in which it has to be ready
begin() { say "== $1"; deadline=$((SECONDS + WAIT_SECONDS)); }
left() { local rest=$((deadline - SECONDS)); printf '%s' "$((rest > 1 ? rest : 1))"; }

# object WHAT IDENTITY < JSON: the object that the next commands are about
object() { what=$1 identity=$2 spare='' owners=''; IFS= read -r -d '' body || true; }
# otherwise < JSON: the same Service without its node ports, for a target that has given them to another
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

# uid_of IDENTITY: the uid of an object on the target, nothing when it is not there
uid_of() { k get -f - -o 'jsonpath={.items[*].metadata.uid}' --ignore-not-found <<<"$1" 2>/dev/null || true; }
# owner WHAT IDENTITY REFERENCE: one owner of the object; REFERENCE is its JSON up to the uid
owner() {
  local uid
  uid=$(uid_of "$2")
  if [[ -n $uid ]]; then
    owners="$owners${owners:+,}$3$uid\"}"
  else
    note "$what is not owned by $1: not on the target"
  fi
}

found() {
  there=$((there + 1))
  say "there     $what: left as it is"
}
# create: make the object; one that is there is left as it is. Where it may be, that is looked up first: a create that
# fails counts against a quota, until that is counted anew
create() {
  local told try
  if [[ -n $again && -n $(uid_of "$identity") ]]; then
    found
    return
  fi
  for try in 1 2 3 4 5; do
    if told=$(k create --validate=warn -f - <<<"$body" 2>&1); then
      created=$((created + 1))
      say "created   $what"
      return
    fi
    case $told in
      *'(AlreadyExists)'*)
        found
        return ;;
      *'port is already allocated'*)
        [[ -n $spare ]] || fail "$what: $told"
        body=$spare spare=''
        note "$what: another Service holds its node port: allocated anew" ;;
      *'(Conflict)'* | *'(ServiceUnavailable)'* | *'(TooManyRequests)'* | *'(InternalError)'* | *'(Timeout)'*)
        pause "$try" ;;
      *) fail "$what: $told" ;;
    esac
  done
  fail "$what: $told"
}
# namespace: as create
namespace() {
  local before=$there
  create
  [[ $there -eq $before ]] || again=1
}
# account NAMESPACE NAME: as create; an account that is there gets what it lacks
account() {
  local told
  if told=$(k create --validate=warn -f - <<<"$body" 2>&1); then
    created=$((created + 1))
    say "created   $what"
  elif [[ $told == *'(AlreadyExists)'* ]]; then
    k patch -n "$1" --type strategic --patch-file /dev/stdin -- serviceaccount "$2" <<<"$body" >/dev/null
    merged=$((merged + 1))
    say "merged    $what"
  else
    fail "$what: $told"
  fi
}
# relink: write the owners of an object that came before them
relink() {
  k patch -f - --type merge -p "{\"metadata\":{\"ownerReferences\":[$owners]}}" <<<"$identity" >/dev/null
  say "re-linked $what"
}

not_ready() { late=$((late + 1)); note "$1 is not ready: ${2##*$'\n'}"; }
# ready_by FOR WHAT IDENTITY: wait for a condition or a field, as `kubectl wait --for` takes it
ready_by() {
  local told
  if told=$(k wait --for="$1" --timeout="$(left)s" -f - <<<"$3" 2>&1); then
    say "ready     $2"
  else
    not_ready "$2" "$told"
  fi
}
ready_rollout() {
  local told
  if told=$(k rollout status --timeout="$(left)s" -f - <<<"$2" 2>&1); then
    say "ready     $1"
  else
    not_ready "$1" "$told"
  fi
}
# ready_claim: wait until it is bound, unless that waits for the first pod that uses it
ready_claim() {
  local told class volume mode=''
  told=$(k get -f - -o 'jsonpath={.items[*].spec.storageClassName}{"|"}{.items[*].spec.volumeName}' <<<"$2")
  class=${told%%|*} volume=${told#*|}
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
  local told
  told=$(k get -f - -o 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}' <<<"$2")
  [[ -z $told ]] || ready_by condition=Ready "$1" "$2"
}
# served GROUP/VERSION PLURAL: wait until the API server serves a kind
served() {
  until [[ $(k get --raw "/apis/$1" 2>/dev/null || true) == *"\"name\":\"$2\""* ]]; do
    [[ $SECONDS -lt $deadline ]] || fail "$2 of $1 is not served within $WAIT_SECONDS s"
    pause 1
  done
}
# ready_namespace NAME: wait for the account `default`, without which pods are refused
ready_namespace() {
  k wait --for=create --timeout="$(left)s" -n "$1" serviceaccount/default >/dev/null ||
    fail "namespace $1 has no account default"
}
finish() {
  say "== $created created, $there left as they were, $merged merged, $late not ready; $SECONDS s"
  [[ -z $notes ]] || printf 'Notes:\n%s' "$notes"
  [[ $late -eq 0 ]] || exit 3
}
"""


STEPS = r"""
at_type='' at_space='' at_name='' at_uid='' gone=''
OWNER='{{range .metadata.ownerReferences}}{{if .controller}}{{.uid}}{{end}}{{end}}'

# find TYPE NAMESPACE NAME: step on an object that is there and stays
find() {
  local told
  at_type=$1 at_space=$2 at_name=$3
  told=$(k get ${2:+-n "$2"} --ignore-not-found -o 'jsonpath={.metadata.uid}|{.metadata.deletionTimestamp}' \
    -- "$1" "$3" 2>/dev/null) || return 1
  at_uid=${told%%|*}
  [[ -n $at_uid && ${told#*|} == '' ]]
}
# named POD: the pod of that name, if the object before controls it
named() {
  local before=$at_uid told
  find Pod.v1. "$at_space" "$1" || return 1
  told=$(k get -n "$at_space" -o "go-template=$OWNER" -- Pod.v1. "$1" 2>/dev/null) || return 1
  [[ $told == "$before" ]]
}
# newest TYPE: of those that the object before controls
newest() {
  local told name first second made gone owner best='' best_number=-1 best_made=''
  told=$(k get -n "$at_space" -o "go-template={{range .items}}{{.metadata.name}}|{{with .metadata.annotations}}\
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
  done <<<"$told"
  [[ -n $best ]] && find "$1" "$at_space" "$best"
}
# pod ORDINAL OF: of its ready pods by name, when as many are ready as there were or as are wanted now
pod() {
  local told name gone phase owner ready count=0 found='' of=$2
  told=$(k get -n "$at_space" -o 'jsonpath={.spec.replicas}' -- "$at_type" "$at_name" 2>/dev/null) || return 1
  [[ ! $told =~ ^[0-9]+$ || $told -ge $of ]] || of=$told
  [[ $of -gt $1 ]] || of=$(($1 + 1))
  told=$(k get Pod.v1. -n "$at_space" -o "go-template={{range .items}}{{.metadata.name}}|\
{{.metadata.deletionTimestamp}}|{{.status.phase}}|$OWNER|{{range .status.conditions}}{{if eq .type \"Ready\"}}\
{{.status}}{{end}}{{end}}{{\"\\n\"}}{{end}}" 2>/dev/null) || return 1
  while IFS='|' read -r name gone phase owner ready; do
    [[ $owner == "$at_uid" && $gone == '<no value>' && ( $phase == Succeeded || $ready == True ) ]] || continue
    [[ $count -ne $1 ]] || found=$name
    count=$((count + 1))
  done <<<"$told"
  [[ $count -ge $of ]] && find Pod.v1. "$at_space" "$found"
}
# node NAME ORDINAL ROLES: the one of that name, else one of those with these roles, by name
node() {
  local told name labels label roles count=0 found=''
  find Node.v1. '' "$1" && return 0
  told=$(k get Node.v1. -o "go-template={{range .items}}{{.metadata.name}}|{{range \$key, \$_ := .metadata.labels}}\
{{\$key}} {{end}}{{\"\\n\"}}{{end}}" 2>/dev/null) || return 1
  while IFS='|' read -r name labels; do
    roles=''
    for label in $labels; do
      [[ $label != node-role.kubernetes.io/* ]] || roles="$roles${roles:+ }${label#*/}"
    done
    [[ $roles == "$3" ]] || continue
    [[ $count -ne $2 ]] || found=$name
    count=$((count + 1))
  done <<<"$told"
  [[ -n $found ]] && find Node.v1. '' "$found"
}
# value JSONPATH FAMILY INDEX: the value of that family (of an address) among the lines that are read
value() {
  local told line seen=$'\n' count=0
  told=$(k get ${at_space:+-n "$at_space"} -o "jsonpath=$1" -- "$at_type" "$at_name" 2>/dev/null) || return 1
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
  done <<<"$told"
  return 1
}
# field JSONPATH: what stands there, whatever it is
field() {
  REPLY=$(k get ${at_space:+-n "$at_space"} -o "jsonpath=$1" -- "$at_type" "$at_name" 2>/dev/null && printf .) ||
    return 1
  REPLY=${REPLY%.}
}
# look_up NUMBER CHAIN POLICY OLD: follow the function `chain` until it gives a value, once for each NUMBER; REPLY is
# what to write, and `gone` is set where the string goes that the value would stand in. What need not come is not waited
# for where `begins` finds nothing
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
# absent CHAIN POLICY OLD: there is no value
absent() {
  case $2 in
    keep) note "$what: nothing found by $1: the old value stays"; REPLY=$3 ;;
    empty) note "$what: nothing found by $1: left empty"; REPLY='' ;;
    drop) note "$what: nothing found by $1: left out"; REPLY='' gone=1 ;;
    *) fail "$what: nothing found by $1 within $WAIT_SECONDS s" ;;
  esac
}
# drop GONE < PART, and on the next line what comes in its place: where GONE is set
drop() {
  local old new
  IFS= read -r old
  IFS= read -r new
  [[ -z $1 ]] || put "$old" "${new:-$NOTHING}"
}
# tidy: take the commas away that are left; NOTHING stands in no JSON
NOTHING=$'\036'
tidy() { put ",$NOTHING" ''; put "$NOTHING," ''; put "$NOTHING" ''; }
# json TEXT: as it stands inside of a JSON string
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
# text < TEXT: a text that stands in the object as base64; in_text TOKEN VALUE; encode TOKEN: write it there
text() { IFS= read -r -d '' inside || true; inside=${inside%$'\n'}; }
in_text() { replace "$inside" "$1" "$2"; inside=$REPLY; }
encode() {
  local told
  told=$(printf '%s' "$inside" | base64)
  put "$1" "${told//$'\n'/}"
}
# change TYPE NAMESPACE NAME: write into an object that came before what it names; `object` read the JSON patch, and
# `otherwise` the one that first makes the maps which the API server dropped as empty
change() {
  local way told=''
  for way in "$body" "$spare"; do
    [[ -n $way ]] || continue
    if told=$(k patch ${2:+-n "$2"} --type json --patch-file /dev/stdin -- "$1" "$3" <<<"$way" 2>&1); then
      say "patched   $what"
      return
    fi
  done
  fail "$what: its late values cannot be patched in: $told"
}
"""


def heredoc(text: str) -> str:
    """Return a text as a quoted here-document, in which nothing means anything to bash and no line is its end."""
    mark = "KUBEFERRY"
    while mark in text.split("\n"):
        mark += "_"
    return f"<<'{mark}'\n{text}\n{mark}\n"


def identity(ref: Ref, api_version: str) -> str:
    """Return the JSON by which `kubectl get -f -` finds an object, whatever other kinds have its name."""
    meta = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
    return orjson.dumps({"apiVersion": api_version, "kind": ref.kind, "metadata": meta}).decode()


def named(ref: Ref, api_version: str) -> str:
    """Return an object for a person and for kubectl, as two words of bash."""
    return shlex.join([one_line(str(ref)), identity(ref, api_version)])
