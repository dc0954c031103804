package keys

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
	"github.com/sallyport/sallyport/fleetkey"
)

// broker is a Carrier in memory, which can hold back what it has for a topic.
type broker struct {
	mu     sync.Mutex
	topics map[string][]chan []byte
	held   map[string]bool
	kept   map[string][][]byte
	seen   [][]byte
}

func newBroker() *broker {
	return &broker{topics: map[string][]chan []byte{}, held: map[string]bool{}, kept: map[string][][]byte{}}
}

func (b *broker) Publish(_ context.Context, topic string, m []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, m)
	if b.held[topic] {
		b.kept[topic] = append(b.kept[topic], m)
		return nil
	}
	b.deliver(topic, m)
	return nil
}

func (b *broker) deliver(topic string, m []byte) {
	for _, c := range b.topics[topic] {
		select {
		case c <- m:
		default: // lost
		}
	}
}

func (b *broker) Subscribe(topic string, receive func([]byte)) (func(), error) {
	c, done := make(chan []byte, 1000), make(chan struct{})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.topics[topic] = append(b.topics[topic], c)
	go func() {
		for {
			select {
			case m := <-c:
				receive(m)
			case <-done:
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) }), nil
}

// hold keeps what comes for a topic, and release delivers it.
func (b *broker) hold(topic string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[topic] = true
}

func (b *broker) release(topic string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[topic] = false
	for _, m := range b.kept[topic] {
		b.deliver(topic, m)
	}
	b.kept[topic] = nil
}

// estate is a keeper and its broker, with real certificates.
type estate struct {
	*identitytest.Authority
	broker *broker
	keeper *Keeper
	dir    string
	lines  recorder
	log    text
	stop   func() // ends the keeper
}

func newEstate(t *testing.T) *estate {
	e := &estate{Authority: identitytest.New(t), broker: newBroker(), dir: t.TempDir()}
	e.start(t)
	return e
}

func (e *estate) start(t *testing.T) {
	t.Helper()
	k, err := NewKeeper(KeeperConfig{Identity: e.Source(t, identity.Operator.Path("keeper")), Carrier: e.broker, Fleet: "test", Directory: e.dir, Audit: &e.lines, Log: e.logger()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	e.keeper = k
	e.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(e.stop)
}

// holder runs a Holder until the test ends, or stop is called.
func (e *estate) holder(t *testing.T, name string, file bool) (h *Holder, stop func()) {
	t.Helper()
	c := HolderConfig{Identity: e.Source(t, identity.GameState.Path(name)), Carrier: e.broker, Fleet: "test", Ring: new(fleetkey.Ring), Audit: &e.lines, Log: e.logger()}
	if file {
		c.File = filepath.Join(e.dir, name)
	}
	h, err := NewHolder(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return h, stop
}

// text is what is written, by several goroutines.
type text struct {
	mu sync.Mutex
	b  []byte
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, p...)
	return len(p), nil
}

func (w *text) bytes() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.b)
}

// logger writes everything into e.log.
func (e *estate) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain: ", what)
		}
	}
}
