package transport

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/policy"
)

// "100 ms after the first, then after another 200 ms and after another 400 ms, so at 100, 300 and 700 ms" PROTOCOL.md 5.5
func TestDocumentCloseWaits(t *testing.T) {
	t.Parallel()
	sum := time.Duration(0)
	for i, wait := range closeWaits {
		if sum += wait; i < 3 && wait != 100*time.Millisecond<<i {
			t.Errorf("after copy %d %v", i, wait)
		}
	}
	if sum != closeTime || len(closeWaits) != 4 {
		t.Errorf("%d copies in %v, want 4 in %v", len(closeWaits), sum, closeTime)
	}
}

// The bounds in PROTOCOL.md 12 are those of the code.
func TestDocumentLimits(t *testing.T) {
	t.Parallel()
	text := testkit.Section(t, "12")
	begun, err := policy.SourceConfig{}.WithDefaults()
	if err != nil || begun.Unproven != defaultMaxUnproven {
		t.Errorf("%d half-open handshakes in package policy, %d here: %v", begun.Unproven, defaultMaxUnproven, err)
	}
	thousands := func(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
	for _, row := range []string{
		"| handshakes under way | " + thousands(defaultMaxHandshakes) + " in all |",
		fmt.Sprintf("| half-open handshakes | %d for each IPv4 /24 or IPv6 /64, %d for each /56, %d for each /48 |",
			defaultMaxUnproven, 4*defaultMaxUnproven, 16*defaultMaxUnproven),
		fmt.Sprintf("| handshakes begun | %d a second, %d at once for each IPv4 /24 or IPv6 /64; 4 times for a /56, 16 times for a /48 |",
			begun.PerSecond, begun.Burst),
		fmt.Sprintf("| those of an address at which a session lives, or has in the last %.f min | besides: 1 a second, 1 half-open; of all of these whose senders have proven nothing a sixteenth of all places, 8 at least but a quarter at most |",
			sources.LatelyLive.Minutes()),
		fmt.Sprintf("| life of a handshake | %.f s, 16 KB of handshake bytes |", defaultHandshakeTimeout.Seconds()),
		fmt.Sprintf("| identity tokens that wait for a key of their issuer | %d in all, for %.f s |", maxParked, parkTime.Seconds()),
		fmt.Sprintf("| those of a prefix | %d for each IPv4 /24 or IPv6 /64, %d for each /56, %d for each /48 |",
			maxParkedEach, 4*maxParkedEach, 16*maxParkedEach),
		"| ClientHello | " + thousands(handshake.MaxHello) + " bytes |",
		fmt.Sprintf("| silence after an alert that ends a handshake | %.f s |", handshake.AlertPatience.Seconds()),
		fmt.Sprintf("| destinations of drains that a client follows | %d in %.f min |", maxHops, hopTime.Minutes()),
		fmt.Sprintf("| copies of a CLOSE | %d in %.f s |", len(closeWaits), closeTime.Seconds()),
	} {
		if !strings.Contains(text, row) {
			t.Errorf("section 12 lacks %q", row)
		}
	}
}
