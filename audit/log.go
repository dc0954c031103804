package audit

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Log is a Sink that writes decisions to a slog.Logger, for a person who watches a server: joins,
// ends, refusals, bans, alarms. The message is the label of the decision; the attributes, each
// absent without a value, are
//
//	reason    label of the Drop
//	cause     Event.Cause
//	detail    Event.Detail
//	part      Event.Part
//	session   session id
//	issuer    Event.Issuer
//	scope     Event.Scope
//	network   of the peer, at most /24 or, for IPv6, /56
//	previous  Event.Previous, likewise
//	actor     Event.Actor
//	operation Event.Operation
//	left_out  lines since the previous one that exceeded their share or found no room
//
// The texts are cut and cleaned as those of JSON are. A line has no name of a player, whether in
// clear or as a pseudonym, no token id, and nothing that a client states about itself.
//
//	level  decision
//	debug  renew, migrate
//	info   accept, resume, replace, close, lift, key rotation, operate
//	warn   reject, step up, flag, revoke, ban, withdraw, flood, deny
//	error  alarm
//
// At most 20 lines are written in one second of the clock, rejections and denials in at most 10 of
// them. The sessions of one player, revocations, and alarms, floods and key changes have the shares that
// JSONConfig.PerSecond describes.
type Log struct {
	logger *slog.Logger // constant

	wg    sync.WaitGroup // the writing goroutine; Close waits
	queue chan *entry    // sent to and closed with mu held; the goroutine receives

	mu sync.Mutex
	// +checklocks:mu
	closed bool
	// +checklocks:mu
	limiter limiter
	// +checklocks:mu
	leftOut uint64 // since the last line
}

var _ Sink = (*Log)(nil)

// entry is a line on its way to the logger.
type entry struct {
	level   slog.Level
	line    line
	leftOut uint64
}

// NewLog starts a sink that writes to logger from one goroutine, until Close. Enabled of its Handler
// is called by whoever calls Record, so it must not wait.
func NewLog(logger *slog.Logger) *Log {
	l := &Log{logger: logger, limiter: newLimiter(logPerSecond)}
	l.queue = make(chan *entry, Alarm.room(logQueue)+1) // the last one for the tally of Close
	l.wg.Go(func() {
		for e := range l.queue {
			l.write(e)
		}
	})
	return l
}

// Record queues e if the logger takes its level.
func (l *Log) Record(e Event) {
	level := e.Decision.level()
	if !l.logger.Enabled(context.Background(), level) {
		return
	}
	now := time.Now()
	if e.Time.IsZero() {
		e.Time = now
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.limiter.admit(&e, now) || len(l.queue) >= e.Decision.room(logQueue) {
		l.leftOut++
		return
	}
	e.Subject, e.TokenID = "", ""
	l.queue <- &entry{level, newLine(e, nil, tally{}), l.leftOut} // has room: all senders hold mu
	l.leftOut = 0
}

// write hands e to the logger.
func (l *Log) write(e *entry) {
	ctx, line := context.Background(), &e.line
	message := line.Decision
	if message == "" {
		message, line.Message = line.Message, "" // a tally
	}
	r := slog.NewRecord(time.UnixMilli(line.Time), e.level, message, 0)
	w := line.who
	if w == (who{}) {
		w = line.Actor.who
	}
	for _, a := range [...]struct{ name, value string }{
		{"reason", line.Reason},
		{"cause", line.Unmapped.Cause},
		{"detail", line.Message},
		{"part", line.Unmapped.Part},
		{"session", w.Session.UID},
		{"issuer", w.User.Domain},
		{"scope", line.Unmapped.Scope},
		{"network", line.Src.Name},
		{"previous", line.Unmapped.Previous},
		{"actor", line.Actor.App},
		{"operation", line.API.Operation},
	} {
		if a.value != "" {
			r.AddAttrs(slog.String(a.name, a.value))
		}
	}
	if e.leftOut > 0 {
		r.AddAttrs(slog.Uint64("left_out", e.leftOut))
	}
	_ = l.logger.Handler().Handle(ctx, r) // a log has nobody to tell
}

// Close writes the queued lines and waits for the logger: one that hangs holds up Close and nothing
// else. If lines have been left out since the last one, a last line with the message "tally" says
// how many. Later events are left out. A second call returns net.ErrClosed.
func (l *Log) Close() error {
	if !l.stop() {
		return net.ErrClosed
	}
	l.wg.Wait()
	return nil
}

// stop lets the goroutine end; false if it already has been told.
func (l *Log) stop() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.closed = true
	if l.leftOut > 0 {
		l.queue <- &entry{slog.LevelWarn, newTally(time.Now(), tally{}), l.leftOut}
	}
	close(l.queue)
	return true
}

// level returns at which level a decision is logged.
func (d Decision) level() slog.Level {
	switch d {
	case Renew, Migrate:
		return slog.LevelDebug
	case Reject, StepUp, Flag, Revoke, Ban, Withdraw, Flood, Deny:
		return slog.LevelWarn
	case Alarm:
		return slog.LevelError
	}
	return slog.LevelInfo
}
