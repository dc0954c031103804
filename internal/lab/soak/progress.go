package soak

import (
	"fmt"
	"sync"
	"time"
)

// showProgress writes a line each second until the returned function is called, which wipes it out.
func (r *run) showProgress() (stop func()) {
	if r.config.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		var sent, received uint64
		for {
			select {
			case <-ticker.C:
			case <-done:
				fmt.Fprintf(r.config.Progress, "\r%s\r", blank)
				return
			}
			line := r.line(r.sent.Load()-sent, r.received.Load()-received)
			sent, received = r.sent.Load(), r.received.Load()
			fmt.Fprintf(r.config.Progress, "\r%-*s", len(blank), line)
		}
	})
	return func() { close(done); wg.Wait() }
}

// blank is as long as a line may be without wrapping in a terminal of the usual width.
const blank = "                                                                              "

func (r *run) line(sent, received uint64) string {
	return fmt.Sprintf("%3.0f s  %d of %d connected  %d/s sent  %d/s received  round trip %.1f ms",
		time.Since(r.began).Seconds(), r.live.Load(), r.config.Players, sent, received, r.rtt.quantile(0.5))
}
