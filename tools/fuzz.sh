#!/usr/bin/env bash
# Runs every fuzz target in the tree, each for $1: a time (60s) or a number of executions (3000x).
set -euo pipefail
cd "$(dirname "$0")/.."

targets=$(grep -roE --include='*_test.go' '^func Fuzz\w*' . | sort) || {
	echo "no fuzz target found" >&2
	exit 1
}
while IFS=: read -r file func; do
	name=${func#func }
	echo "-- ${file%/*} $name"
	go test -C "${file%/*}" -run='^$' -fuzz="^$name\$" -fuzztime="$1" -fuzzminimizetime=10x .
done <<<"$targets"
