#!/usr/bin/env bash
# Figures of real runs by `underdamp plot`, and its messages. Exit code 77: skipped, for there is no matplotlib.
#
# usage: plot_test.sh figures|messages PROGRAM FOLDER BUILD

set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../scripts/common.bash
source "$source/scripts/common.bash"

part=$1 program=$2 folder=$3 build=$4
unset UNDERDAMP_PYTHON
rm -rf "$folder"
mkdir -p "$folder"

spec() {
  cat <<'SPEC'
title = "three modes"
[optimizer]
learning_rate = 0.1
momentum = 0.9
batch_size = 32
[loss]
kind = "spectrum"
eigenvalues = [2.0, 0.4, 0.1]
[noise]
kind = "hessian"
sigma2 = 1.0
[grid]
cells = [64, 64]
SPEC
}
run() { "$program" run "$folder/$1.toml" --output "$folder/$1" --device host --quiet >/dev/null; }
expect() { grep -q -- "$2" "$1" || die "$1 does not contain: $2"; }

# refused CODE TEXT ARGUMENTS…: `plot` ends with this exit code and a message that contains TEXT.
refused() {
  local code=0
  "$program" plot "${@:3}" >/dev/null 2>"$folder/message" || code=$?
  [[ $code == "$1" ]] || die "exit code $code instead of $1 for: plot ${*:3}"
  expect "$folder/message" "$2"
  expect "$folder/message" "to fix:"
}

case $part in
  figures)
    matplotlib_works || { say "skipped: python3 has no matplotlib (scripts/setup installs it)" && exit 77; }
    { spec && printf '[ensemble]\nparticles = 1000\n[displacement]\nuntil = 50.0\nfit = [1.0, 20.0]\n'; } >"$folder/way.toml"
    { spec && printf '[evolve]\nuntil = 1.0\nframes = 2\n[stationary]\nmodes = 2\n'; } >"$folder/field.toml"
    run way
    run field
    cmake --install "$build" --prefix "$folder/installed" >/dev/null
    "$folder/installed/bin/underdamp" plot "$folder/way" >"$folder/list"
    "$program" plot "$folder/field" "$folder/elsewhere" >>"$folder/list"
    for figure in way/plots/{displacement,correlation,modes} elsewhere/{marginals,modified_loss,spectrum}; do
      for suffix in png svg; do expect "$folder/list" "$folder/$figure.$suffix"; done
      [[ $(head -c 4 "$folder/$figure.png" | tail -c 3) == PNG ]] || die "$figure.png is no PNG"
      python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$folder/$figure.svg"
    done
    for text in "local exponent" "Langevin particles" "SGD recursion" "all modes"; do
      expect "$folder/way/plots/displacement.svg" "$text"
    done
    refused 5 "/proc/nowhere" "$folder/way" /proc/nowhere
    mkdir "$folder/empty" && echo '{}' >"$folder/empty/summary.json"
    refused 2 "nothing to plot" "$folder/empty"
    refused 2 "no summary.json" "$folder/elsewhere"
    ;;
  messages)
    refused 2 "there is no such folder" "$folder/none"
    UNDERDAMP_PYTHON=$folder/none refused 5 "Python cannot be started" "$folder"
    command -v python3 >/dev/null || { say "skipped: there is no python3" && exit 77; }
    # A Python that sees nothing that was installed.
    printf '#!/bin/sh\nexec python3 -I -S "$@"\n' >"$folder/bare"
    chmod +x "$folder/bare"
    UNDERDAMP_PYTHON=$folder/bare refused 5 "need matplotlib" "$folder"
    expect "$folder/message" "python3-matplotlib"
    ;;
  *) die "unknown part $part" ;;
esac
