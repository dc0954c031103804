#!/usr/bin/env bash
# Runs every benchmark of the module in this folder once. Packages without any are not linked.
set -euo pipefail

files='{{$d := .Dir}}{{range .TestGoFiles}}{{$d}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$d}}/{{.}}
{{end}}'
folders=$(go list -f "$files" ./... | { xargs grep -lE '^func Benchmark' || true; } | sed 's|/[^/]*$||' | sort -u)
[ -z "$folders" ] || go test -vet=off -run='^$' -bench=. -benchtime=1x $folders
