package succession

import (
	"maps"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
)

// sum adds up two processes, of which the second is the later one.
func sum(a, b gameserver.Stats) gameserver.Stats {
	drops := maps.Clone(b.Drops)
	for reason, n := range a.Drops {
		drops[reason] += n
	}
	b.Drops = drops
	b.SessionsPeak = max(a.SessionsPeak, b.SessionsPeak)
	b.Received += a.Received
	b.Sent += a.Sent
	b.Handshakes.Started += a.Handshakes.Started
	b.Handshakes.Completed += a.Handshakes.Completed
	b.Handshakes.Failed += a.Handshakes.Failed
	b.CPU, b.Mallocs = add(a.CPU, b.CPU), add(a.Mallocs, b.Mallocs)
	return b
}

func add[N int64 | uint64](a, b *N) *N {
	if a == nil || b == nil {
		return b
	}
	n := *a + *b
	return &n
}
