"""The bash functions of the script that `kubeferry plan --kubectl` prints: bash's own commands and kubectl, no more.

An object's JSON never stands on a command line, which holds 128 KiB a word: it comes in a quoted here-document, is kept
in a variable, and goes to kubectl's stdin. Objects are looked up by their own apiVersion, kind, namespace and name, so
that no short name of a kind can be taken for another's. It works in bash 3.2 (macOS) and needs kubectl 1.31 or newer.
"""

from __future__ import annotations

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
