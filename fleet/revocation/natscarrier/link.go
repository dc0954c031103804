package natscarrier

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errNotConnected is the error where no server can be reached.
var errNotConnected = errors.New("no NATS server can be reached")

// link is whether there is a connection, as nats.go has reported it. Asking nats.go itself can take
// as long as a server takes to answer, while it connects.
type link struct {
	mu sync.Mutex
	// +checklocks:mu
	server string // name of the server
	// +checklocks:mu
	live context.Context // ends with the connection; nil without one
	// +checklocks:mu
	end context.CancelFunc // of live
	// +checklocks:mu
	changed chan struct{} // closed when there is a connection; a new one when there is none
}

func newLink() *link { return &link{changed: make(chan struct{})} }

// up notes a connection.
func (l *link) up(server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live == nil {
		l.live, l.end = context.WithCancel(context.Background())
		close(l.changed)
	}
	l.server = server
}

// down notes its end.
func (l *link) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live != nil {
		l.end()
		l.live, l.server, l.changed = nil, "", make(chan struct{})
	}
}

// now returns a context that ends with the connection, nil without one, and the server's name.
func (l *link) now() (live context.Context, server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live, l.server
}

// await waits for a connection, and returns a context that ends with it.
func (l *link) await(ctx context.Context) (context.Context, error) {
	for {
		l.mu.Lock()
		live, changed := l.live, l.changed
		l.mu.Unlock()
		if live != nil {
			return live, nil
		}
		select {
		case <-ctx.Done():
			return nil, errNotConnected
		case <-changed:
		}
	}
}

// whileUp waits for a connection, and returns what bind does. It has to be cancelled.
func (l *link) whileUp(ctx context.Context) (context.Context, context.CancelFunc, error) {
	wait, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	live, err := l.await(wait)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel = bind(ctx, live, answerTime)
	return ctx, cancel, nil
}

// bind returns a context that ends with ctx, with a connection, or after a time.
func bind(ctx, live context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	stop := context.AfterFunc(live, cancel)
	return ctx, func() { stop(); cancel() }
}
