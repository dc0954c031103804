#!/usr/bin/env bash
# fuzz.sh TIME [N] runs every fuzz target in the tree, each for a time (60s, 10m, 2h) or a number of executions
# (5000x): with all processors and guided by coverage, or N packages at once, each with one processor and
# the program that `go test` runs. For a moment guidance is in the way: one that measures what the
# corpus covers has hardly begun when one that does not has executed 5,000 inputs. The targets of a package
# share one program, and the link leaves out what only a debugger reads. An input that makes a target fail
# is written to its testdata/fuzz, where `go test` tries it from then on; the other targets go on.
set -euo pipefail
cd "$(dirname "$0")/.."

# package FOLDER TIME FLAGS... runs the targets of one package; with flags, without guidance.
package() {
	local program import target status=0 guided=(-fuzz=.) until=(timeout --foreground --preserve-status --signal=INT "$2") count=()
	[ $# -eq 2 ] || guided=()
	[[ $2 != *x ]] || until=() count=(-test.fuzztime="$2")
	program=$programs/$(tr / . <<<"${1#./}").test
	go test -C "$1" -c "${guided[@]}" -ldflags='-s -w' -o "$program" . || return
	import=$(go list -C "$1" .) || return
	for target in $(grep -hoE '^func Fuzz\w*' "$1"/*_test.go | cut -d' ' -f2 | sort); do
		echo "-- $1 $target"
		(cd "$1" && "${until[@]}" "$program" -test.run='^$' -test.fuzz="^$target\$" "${count[@]}" -test.fuzzminimizetime=10x \
			-test.fuzzcachedir="$cache/$import" -test.paniconexit0 -test.timeout=0 "${@:3}") || status=1
	done
	rm "$program"
	return $status
}

# together is package with its output in one piece.
together() {
	local status=0 out
	out=$(package "$@" 2>&1) || status=$?
	echo "$out"
	return $status
}

folders=$(grep -rlE --include='*_test.go' '^func Fuzz' . | sed 's|/[^/]*$||' | sort -ur) || { # the longest, of transport, begins first
	echo "no fuzz target found" >&2
	exit 1
}
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
cache=$(go env GOCACHE)/fuzz

if [ $# -gt 1 ]; then
	export programs cache
	export -f package together
	xargs -P "$2" -I{} bash -euo pipefail -c 'together "$@"' _ {} "$1" -test.parallel=1 <<<"$folders"
else
	status=0
	for folder in $folders; do package "$folder" "$1" || status=1; done
	exit $status
fi
