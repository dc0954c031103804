package customid

import (
	"strings"
	"testing"
)

// Nakama takes a username of at most 128 bytes without spaces.
func TestUsername(t *testing.T) {
	a, b := Username(), Username()
	if a == b || len(a) != len("player-")+26 || strings.ContainsFunc(a, Unprintable) {
		t.Errorf("usernames are %q and %q", a, b)
	}
}
