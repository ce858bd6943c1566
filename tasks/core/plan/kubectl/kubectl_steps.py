"""The bash functions by which the script of `kubeferry plan --kubectl` follows a chain of look-ups and writes a value.

They walk from object to object by uid, never by labels, as chain_pick.py does; each fails while something is not there
yet, and `look_up` tries again until a time limit. What they read comes from kubectl's own templates.
"""

from __future__ import annotations

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
