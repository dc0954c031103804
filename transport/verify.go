package transport

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport/sallyport/token"
)

// job is an identity token that waits for its verification.
type job struct {
	raw  []byte
	now  time.Time
	done func(*token.Claims, error)
}

// verifications runs a Verifier in a fixed number of goroutines, behind a
// bounded queue: a signature costs 150 µs, and a key set may be a network away.
type verifications struct {
	queue chan job
	wg    sync.WaitGroup // the workers; close waits
}

func newVerifications(ctx context.Context, v Verifier, workers int) *verifications {
	p := &verifications{queue: make(chan job, verifyQueue)}
	for range workers {
		p.wg.Go(func() { work(ctx, v, p.queue) })
	}
	return p
}

func work(ctx context.Context, v Verifier, queue <-chan job) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-queue:
			j.done(v.Verify(ctx, j.now, j.raw))
		}
	}
}

// submit reports whether there was room.
func (p *verifications) submit(j job) bool {
	select {
	case p.queue <- j:
		return true
	default:
		return false
	}
}
