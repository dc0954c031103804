#!/usr/bin/env bash
# Compares what the packet path costs in two revisions: the binaries of both take turns, pinned to one processor.
#
#   tools/compare.sh OLD [NEW [ROUNDS]]     NEW is HEAD, ROUNDS 30 where not given
#
# For each benchmark it prints the median of new/old over the rounds, the bounds between which the true median lies with a
# probability of 95 %, and the most that the upper one may be: 1.03 for BenchmarkInbound and BenchmarkOutbound, 1.05 for the
# bench cells echo-w1-100 and paced-1000. It fails if one is above. A quiet Linux machine with two processors needs some
# ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
case ${1-} in '' | -h | --help) usage ;; esac
old=$(git rev-parse --verify "$1^{commit}") new=$(git rev-parse --verify "${2-HEAD}^{commit}") rounds=${3-30}

work=$(mktemp -d)
trap 'git worktree remove --force "$work/old-tree"; git worktree remove --force "$work/new-tree"; rm -rf "$work"' EXIT
for side in old new; do
	echo "building $side: ${!side}" >&2
	git worktree add --quiet --detach "$work/$side-tree" "${!side}"
	(cd "$work/$side-tree" && go test -c -o "$work/$side.test" . && cd bench && go build -o "$work/$side.bench" .)
done

# $1: side. Prints "name figure" for each benchmark and cell.
measure() {
	taskset -c 1 "$work/$1.test" -test.run '^$' -test.bench '^Benchmark(Inbound|Outbound)$' -test.benchtime 200ms |
		awk '/ns\/op/ { sub(/-[0-9]+$/, "", $1); print $1, $3 }'
	"$work/$1.bench" -rounds 1 -seconds 1 -json -only '^(echo-w1-100|paced-1000)/sallyport$' 2>"$work/progress" |
		sed -E 's/.*"cell":"([^"]*)".*"figure":([0-9.e+-]+).*/\1 \2/' || { cat "$work/progress" >&2; exit 1; }
}

for ((round = 1; round <= rounds; round++)); do
	echo "round $round of $rounds" >&2
	order="old new"
	((round % 2)) || order="new old"
	for side in $order; do
		measure $side | sed "s/^/$round $side /" >>"$work/figures"
	done
done

awk '
{ figure[$3, $1, $2] = $4; names[$3]; rounds = $1 > rounds ? $1 : rounds }
END {
	printf "%-28s %10s %10s %8s %17s %6s\n", "", "old", "new", "new/old", "95 %", "most"
	for (name in names) {
		n = 0
		for (i = 1; i <= rounds; i++) if ((name, i, "old") in figure && (name, i, "new") in figure) {
			n++; o[n] = figure[name, i, "old"]; w[n] = figure[name, i, "new"]; r[n] = w[n] / o[n]
		}
		if (!n) continue
		sort(o, n); sort(w, n); sort(r, n)
		low = int(n / 2 - 0.98 * sqrt(n)); high = n + 1 - low
		if (low < 1) { low = 1; high = n }
		most = name ~ /^Benchmark/ ? 1.03 : 1.05
		verdict = r[high] > most ? "  slower" : ""
		if (verdict) failed = 1
		printf "%-28s %10.2f %10.2f %8.3f   %.3f to %.3f %6.2f%s\n", name, median(o, n), median(w, n), median(r, n), r[low], r[high], most, verdict
	}
	exit failed
}
function median(a, n) { return (a[int((n + 1) / 2)] + a[int(n / 2) + 1]) / 2 }
function sort(a, n,   i, j, v) { for (i = 2; i <= n; i++) { v = a[i]; for (j = i - 1; j > 0 && a[j] > v; j--) a[j + 1] = a[j]; a[j + 1] = v } }
' "$work/figures"
