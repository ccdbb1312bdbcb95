#!/usr/bin/env bash
# Runs `underdamp verify` over every example: one table each, exit code 1 if any check of any of them falls short.
#
# usage: examples/verify-all.sh [PROGRAM] [FOLDER]
#
#   PROGRAM  underdamp; default: build/bin/underdamp of this repository
#   FOLDER   gets NAME.json and NAME.xml (JUnit) for every example; default: none are written

set -euo pipefail
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1-} in
  -h | --help) sed -n '2,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit ;;
esac
program=${1:-$examples/../build/bin/underdamp}
folder=${2-}
[[ -x $program ]] || { echo "error: there is no program $program (build it with scripts/build)" >&2 && exit 2; }
if [[ -n $folder ]]; then mkdir -p "$folder"; fi

failed=()
for spec in "$examples"/*.toml; do
  name=$(basename "$spec" .toml)
  options=(--quiet)
  if [[ -n $folder ]]; then options+=(--json "$folder/$name.json" --junit "$folder/$name.xml"); fi
  echo "== $name"
  "$program" verify "$spec" "${options[@]}" || failed+=("$name")
done
if ((${#failed[@]} > 0)); then
  echo "fell short: ${failed[*]}"
  exit 1
fi
echo "every example passed"
