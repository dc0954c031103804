package revocation_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/session"
)

// sink is a server without a network: what is in force on it, as a transport.Server would have it.
type sink struct {
	mu      sync.Mutex
	revoked map[string]time.Time // by kind, issuer and value
	bans    map[string]time.Time
	used    map[[16]byte]session.UsedKind
	room    int // of revoked; 0 for any number
	calls   int
}

func newSink() *sink {
	return &sink{revoked: make(map[string]time.Time), bans: make(map[string]time.Time), used: make(map[[16]byte]session.UsedKind)}
}

func (s *sink) Revoke(r session.Revocation) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	key := r.Kind.String() + " " + r.Issuer + " " + r.Value
	if _, ok := s.revoked[key]; !ok && s.room > 0 && len(s.revoked) >= s.room {
		return 0, session.ErrRevocationsFull
	}
	if r.Time.After(s.revoked[key]) {
		s.revoked[key] = r.Time
	}
	return 0, nil
}

var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *sink) Ban(b session.Ban) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	until := b.Until
	if until.IsZero() {
		until = forever
	}
	if key := b.Issuer + " " + b.Subject; until.After(s.bans[key]) {
		s.bans[key] = until
	}
	return 0, nil
}

func (s *sink) LiftEverywhere(issuer, subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.bans[issuer+" "+subject]
	delete(s.bans, issuer+" "+subject)
	return ok
}

func (s *sink) Use(used ...session.Used) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range used {
		s.used[u.ID] = u.Kind
	}
	return 0
}

func (s *sink) banned(subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bans["issuer "+subject].After(time.Now())
}

func (s *sink) revokedSubject(subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.revoked["subject issuer "+subject]
	return ok
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.revoked)
}

func subject(name string) revocation.Record {
	return revocation.Record{Kind: revocation.KindSubject, Issuer: "issuer", Value: name}
}

func ban(name string) revocation.Record {
	return revocation.Record{Kind: revocation.KindBan, Issuer: "issuer", Value: name}
}

func lift(name string) revocation.Record {
	return revocation.Record{Kind: revocation.KindLift, Issuer: "issuer", Value: name}
}

// publisher opens a publisher and runs it until the test or stop ends it.
func publisher(t *testing.T, c revocation.PublisherConfig) (p *revocation.Publisher, stop func()) {
	t.Helper()
	p, err := revocation.OpenPublisher(c)
	if err != nil {
		t.Fatal(err)
	}
	return p, run(t, func(ctx context.Context) {
		if err := p.Run(ctx); ctx.Err() == nil {
			t.Logf("publisher: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// subscriber makes a subscriber and runs it until the test or stop ends it.
func subscriber(t *testing.T, c revocation.SubscriberConfig) (s *revocation.Subscriber, stop func()) {
	t.Helper()
	s, err := revocation.NewSubscriber(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, run(t, func(ctx context.Context) { _ = s.Run(ctx) })
}

func run(t *testing.T, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// virtual runs f in virtual time, with a broker.
func virtual(t *testing.T, f func(t *testing.T, b *revocationtest.Broker)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, revocationtest.NewBroker(1)) })
}

// within waits until ok, for at most d.
func within(t *testing.T, d time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > d {
			t.Fatalf("not within %v: %s", d, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

func append1(t *testing.T, p *revocation.Publisher, r ...revocation.Record) []revocation.Record {
	t.Helper()
	out, err := p.Append(r...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func central(key revocation.SigningKey) revocation.Trusted {
	return revocation.Trusted{Name: "central", Key: key.Public(), Kinds: revocation.AllKinds, LiftAny: true}
}

func match(name string, key revocation.SigningKey) revocation.Trusted {
	return revocation.Trusted{Name: name, Key: key.Public(), Kinds: revocation.ServerKinds, Optional: true}
}
