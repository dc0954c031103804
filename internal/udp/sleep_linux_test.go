package udp

import (
	"testing"
	"time"
)

// "Wait returns when a datagram may have arrived": also if one before it ended without a datagram, and this one came
// while nobody slept.
func TestWaitAgain(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(s *native){
		"after a timeout": func(s *native) { s.Wait(time.Millisecond, true) },
		"after a Wake": func(s *native) {
			defer time.AfterFunc(20*time.Millisecond, s.Wake).Stop()
			s.Wait(time.Minute, true)
		},
		"after a datagram": func(s *native) {
			newPeers(t, 1)[0].WriteToUDPAddrPort([]byte("first"), s.LocalAddr()) //nolint:errcheck // Wait would not return
			s.Wait(time.Minute, true)
			s.Receive()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listen(t, false)
			first(s)
			if _, err := newPeers(t, 1)[0].WriteToUDPAddrPort([]byte("input"), s.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond) // the runtime's poller hears of it while nobody waits
			began := time.Now()
			if s.Wait(10*time.Second, true); time.Since(began) > 5*time.Second {
				t.Error("a datagram was there, and Wait slept to its end")
			}
			if got := len(s.Receive()); got != 1 {
				t.Errorf("%d datagrams have come, want 1", got)
			}
		})
	}
}
