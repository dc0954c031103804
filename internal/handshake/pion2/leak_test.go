package pion2_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/handshake/pion2"
)

// "Pion negotiates keys and goes away": nothing of it runs once Wait returns, in real time too.
func TestNoGoroutinesLeft(t *testing.T) {
	sc, cc := enginetest.Configs(t, false)
	before := runtime.NumGoroutine()
	for range 20 {
		enginetest.Run(t, &enginetest.Link{}, pion2.Engine{}, pion2.Engine{}, sc, cc).Check(t)
	}
	after := runtime.NumGoroutine()
	for range 50 { // the link's own timers
		if after <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
		after = runtime.NumGoroutine()
	}
	t.Errorf("%d goroutines before, %d after", before, after)
}

// BenchmarkHandshake is a handshake at both ends, ECDSA.
func BenchmarkHandshake(b *testing.B) {
	sc, cc := enginetest.Configs(b, false)
	b.ReportAllocs()
	for b.Loop() {
		p := enginetest.Run(b, &enginetest.Link{}, pion2.Engine{}, pion2.Engine{}, sc, cc)
		if p.ServerErr != nil || p.ClientErr != nil {
			b.Fatal(p.ServerErr, p.ClientErr)
		}
		p.Wait()
	}
}
