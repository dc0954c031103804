package transport

import "testing"

// "The kernel is told to look at them": a player whose port changes goes on where it
// lives, and nothing crosses.
func TestSteerRoaming(t *testing.T) {
	t.Parallel()
	loopback(t, func(w *world) {
		if owners, crossed := w.roam(func(*Server) {}); owners != 1 || crossed {
			t.Errorf("%d shards had the player; datagrams crossed: %v", owners, crossed)
		}
	})
}
