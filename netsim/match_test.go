package netsim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// TestMatch is a test as a game may have it: a player joins over a bad line in virtual time, which
// takes milliseconds, and fills the line to the last bit.
func TestMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := newMatch()
		if err != nil {
			t.Fatal(err)
		}
		defer m.close()
		client, err := m.join(t.Context(), "198.51.100.7:1000", "alice",
			netsim.Impairment{Latency: 30 * time.Millisecond, Bandwidth: 512_000},
			netsim.Impairment{Latency: 20 * time.Millisecond, Bandwidth: 2_000_000, Queue: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()

		b, input := make([]byte, client.MaxPayload()), make([]byte, 1000)
		start := time.Now()
		if err := client.Send(input); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Receive(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		// Latency, and at least 1,028 bytes up at 512 kbit/s and down at 2 Mbit/s: 16 ms and 4 ms.
		if d := time.Since(start); d < 70*time.Millisecond || d > 73*time.Millisecond {
			t.Errorf("an echo takes %v", d)
		}

		for range 100 { // at once: a quarter of a second of the line and what is on it get through
			if err := client.Send(input); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		s := m.network.Stats()
		if through := 100 - s.TailDropped; through < 15 || through > 17 {
			t.Errorf("%d of 100 inputs fit into 250 ms of 512 kbit/s; %+v", through, s)
		}
	})
}
