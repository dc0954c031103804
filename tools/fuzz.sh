#!/usr/bin/env bash
# Runs every fuzz target in the tree, each for $1: a time (60s) or a number of executions (3000x).
# The targets of a package share one program: to build and link it takes longer than 3,000 executions.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=$(grep -roE --include='*_test.go' '^func Fuzz\w*' . | sed -E 's|/[^/]*:func | |' | sort) || {
	echo "no fuzz target found" >&2
	exit 1
}
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
cache=$(go env GOCACHE)/fuzz

dir=
while read -r folder target; do
	if [ "$folder" != "$dir" ]; then
		dir=$folder
		program=$programs/$(tr / . <<<"${dir#./}").test
		go test -C "$dir" -c -fuzz=. -o "$program" .
		package=$(go list -C "$dir" .)
	fi
	echo "-- $dir $target"
	(cd "$dir" && "$program" -test.run='^$' -test.fuzz="^$target\$" -test.fuzztime="$1" -test.fuzzminimizetime=10x \
		-test.fuzzcachedir="$cache/$package" -test.paniconexit0 -test.timeout=0)
done <<<"$targets"
