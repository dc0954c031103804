package soak

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/internal/lab/succession"
	"github.com/sallyport/sallyport/internal/lab/tally"
)

// evidence is the server's record of a run in which something happens to its players.
type evidence struct {
	trail    *tally.Trail         // what it has audited; nil if it was not asked
	handover *succession.Handover // nil unless it was replaced
	err      error                // why it was not replaced, or does not say
}

// replace has another process take the server's place, in the middle of play.
func (r *run) replace() {
	select {
	case <-time.After(r.config.Duration / 2):
	case <-r.playing.Done():
		return
	}
	r.evidence.err = r.match.Replace(r.ctx)
}

// collect asks the server, if there is anything to ask for, once it has seen the last players leave. An interrupt does
// not cut the question short.
func (r *run) collect() {
	if !r.config.turns() && !r.config.Renew {
		return
	}
	time.Sleep(settleTime)
	ctx, e := context.WithoutCancel(r.ctx), &r.evidence
	switch {
	case e.err != nil:
	case r.config.Replace:
		var h succession.Handover
		if h, e.err = r.match.Handover(ctx); e.err == nil {
			e.handover = &h
		}
	case r.match.Audit != nil:
		e.trail, e.err = r.match.Audit(ctx, r.began)
	}
}

// counts returns the audited decisions; nil if they are not known.
func (e *evidence) counts() tally.Counts {
	if e.handover == nil {
		return e.trail.Counts()
	}
	sum := e.handover.Former.Counts()
	sum.Add(e.handover.Present.Counts())
	return sum
}
