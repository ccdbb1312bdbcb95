#!/usr/bin/env bash
# Makes an offline bundle, which preprocesses every source file with it, configures with it, and compiles what only such a
# build compiles. Exit code 77: skipped, for the source of muParser is out of reach.
#
# usage: offline_test.sh FOLDER

set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../scripts/common.bash
source "$source/scripts/common.bash"

folder=$1
cmake=$(find_cmake)
rm -rf "$folder"
mkdir -p "$folder"
if ! "$source/scripts/offline-bundle" --output "$folder/bundle" 2>&1 | tee "$folder/log"; then
  if ! grep -q "muParser could not be fetched" "$folder/log"; then exit 1; fi
  say "skipped: there is no network"
  exit 77
fi
configure() { "$cmake" -G Ninja --preset offline -S "$source" -B "$folder/build" -DUNDERDAMP_CUDA=OFF "$@"; }
configure "-DUNDERDAMP_BUNDLE=$folder/bundle"
"$cmake" --build "$folder/build" --target underdamp_muparser

# It stops with what to do where there is no bundle.
if configure -DUNDERDAMP_BUNDLE="$folder/nothing" >"$folder/log" 2>&1; then die "configured without libraries"; fi
tr -s '[:space:]' ' ' <"$folder/log" | grep -qF "$folder/nothing holds no libraries. Make the folder by scripts/offline-bundle" ||
  die "no help in: $(<"$folder/log")"
# What an earlier call did not make is not replaced.
mkdir "$folder/mine"
say "precious" >"$folder/mine/file"
if "$source/scripts/offline-bundle" --output "$folder/mine" >"$folder/log" 2>&1; then die "a folder was replaced"; fi
[[ -e $folder/mine/file ]] || die "a file was removed"
grep -qF "$folder/mine holds something else" "$folder/log" || die "no help in: $(<"$folder/log")"
say "passed"
