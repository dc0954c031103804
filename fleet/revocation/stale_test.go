package revocation_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/session"
)

// late delivers live messages after a while.
type late struct {
	revocation.Carrier
	by time.Duration
}

func (l late) Subscribe(t revocation.Topic, receive func([]byte)) (func(), error) {
	if t == revocation.TopicLive {
		now := receive
		receive = func(m []byte) { time.AfterFunc(l.by, func() { now(m) }) }
	}
	return l.Carrier.Subscribe(t, receive)
}

// "A broker which delays messages only makes Age higher", also one that has done nothing else since
// the subscriber began.
func TestDelayIsSeen(t *testing.T) {
	for _, c := range []struct {
		by    time.Duration
		stale bool
	}{{2 * time.Second, false}, {13 * time.Second, false}, {16 * time.Second, true}, {time.Minute, true}} {
		t.Run(c.by.String(), func(t *testing.T) {
			virtual(t, func(t *testing.T, b *revocationtest.Broker) {
				key := revocation.GenerateSigningKey()
				publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
				s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: late{b.Carrier(), c.by}, Sink: newSink()})
				time.Sleep(3 * time.Minute)
				for range 200 {
					st := s.Status()
					if p := st.Publishers[0]; st.Stale != c.stale || !p.Heard || p.Age < c.by || p.Age > c.by+2500*time.Millisecond {
						t.Fatalf("stale %v, age %v", st.Stale, p.Age)
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		})
	}
}

// A broker that repeats what there was keeps nobody fresh, and makes nobody fresh.
func TestReplayIsSeen(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key := revocation.GenerateSigningKey()
		carrier := b.Carrier()
		publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: carrier})
		config := revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: newSink()}
		s, _ := subscriber(t, config)
		within(t, 2*time.Second, "fresh", func() bool { return !s.Status().Stale })
		time.Sleep(time.Minute)
		carrier.Cut(true)
		cut := time.Now()
		config.Sink = newSink()
		other, _ := subscriber(t, config)
		for !s.Status().Stale {
			b.Replay(60)
			time.Sleep(100 * time.Millisecond)
		}
		if after := time.Since(cut); after < 13*time.Second || after > 15*time.Second+200*time.Millisecond {
			t.Errorf("stale %v after the last word", after)
		}
		for range 100 {
			b.Replay(1000)
			time.Sleep(time.Second)
			if !s.Status().Stale || !other.Status().Stale {
				t.Fatal("fresh by a repetition")
			}
		}
		carrier.Cut(false)
		within(t, 5*time.Second, "fresh again", func() bool { return !s.Status().Stale && !other.Status().Stale })
	})
}

// records is an audit sink.
type records struct {
	mu     sync.Mutex
	events []audit.Event
}

func (r *records) Record(e audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *records) count(detail string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Decision == audit.Alarm && strings.Contains(e.Detail, detail) {
			n++
		}
	}
	return n
}

// "Past the stated staleness: keep playing, admit nobody new, or end", whole again within 5 s of the
// end of a partition. Renewals and resumptions go on.
func TestModes(t *testing.T) {
	for _, mode := range []revocation.Mode{revocation.AdmitNobodyNew, revocation.KeepPlaying, revocation.EndSessions} {
		t.Run(mode.String(), func(t *testing.T) {
			virtual(t, func(t *testing.T, b *revocationtest.Broker) {
				key := revocation.GenerateSigningKey()
				p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
				lines, server, carrier := &records{}, newSink(), b.Carrier()
				var ends atomic.Int32
				config := revocation.SubscriberConfig{
					Trusted: []revocation.Trusted{central(key)}, Carrier: carrier, Sink: server, Mode: mode, Audit: lines,
				}
				if mode == revocation.EndSessions {
					config.End = func() { ends.Add(1) }
				}
				s, _ := subscriber(t, config)
				authorize := s.Authorize(func(*session.Admission) error { return nil })
				opens := func() bool { return authorize(&session.Admission{Why: session.Opening}) == nil }
				if opens() != (mode == revocation.KeepPlaying) {
					t.Error("somebody new before anything is known, or nobody")
				}
				if err := s.WaitWhole(context.Background()); err != nil || !opens() {
					t.Fatalf("nobody new though everything is known: %v", err)
				}
				carrier.Cut(true)
				append1(t, p, subject("during the partition"))
				time.Sleep(5 * time.Minute)
				if opens() != (mode == revocation.KeepPlaying) {
					t.Error("somebody new during the partition, or nobody")
				}
				if err := authorize(&session.Admission{Why: session.Opening}); mode != revocation.KeepPlaying && !errors.Is(err, session.Refusal(session.ReasonUnavailable)) {
					t.Errorf("refused by %v", err)
				}
				for _, why := range []session.Purpose{session.Renewing, session.Resuming, session.ResumingElsewhere} {
					if err := authorize(&session.Admission{Why: why}); err != nil {
						t.Errorf("%v: %v", why, err)
					}
				}
				carrier.Cut(false)
				within(t, 5*time.Second, "whole again", func() bool { return opens() && server.revokedSubject("during the partition") })
				time.Sleep(time.Second)
				if n := ends.Load(); n != map[bool]int32{true: 1}[mode == revocation.EndSessions] {
					t.Errorf("End was called %d times", n)
				}
				if a, b := lines.count("stale, "+mode.String()+": central"), lines.count("current again: central"); a != 1 || b != 1 {
					t.Errorf("audited %d and %d times", a, b)
				}
			})
		})
	}
}

// "After this process has stood still, as on a machine that is suspended, that takes another Stale, and so it
// does for a publisher that Trust has added": nobody is put out of a match for a publisher that is new.
func TestTrustEndsNobody(t *testing.T) {
	for name, k := range map[string]struct {
		optional bool // so far
		answers  bool
		within   time.Duration
		ends     int32
	}{
		"it answers":                     {false, true, time.Minute, 0},
		"it does not, yet":               {false, false, revocation.DefaultStale - 100*time.Millisecond, 0},
		"it never does":                  {false, false, revocation.DefaultStale + 200*time.Millisecond, 1},
		"it was optional, and answers":   {true, true, time.Minute, 0},
		"it was optional, and is silent": {true, false, revocation.DefaultStale - 100*time.Millisecond, 0},
		"it was optional, and stays so":  {true, false, revocation.DefaultStale + 200*time.Millisecond, 1},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, b *revocationtest.Broker) {
				key, other := revocation.GenerateSigningKey(), revocation.GenerateSigningKey()
				publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
				added := central(other)
				added.Name, added.Optional = "another", k.optional
				trusted := []revocation.Trusted{central(key)}
				if k.optional {
					trusted = append(trusted, added)
				}
				lines := &records{}
				var ends atomic.Int32
				s, _ := subscriber(t, revocation.SubscriberConfig{
					Trusted: trusted, Carrier: b.Carrier(), Sink: newSink(), Audit: lines,
					Mode: revocation.EndSessions, End: func() { ends.Add(1) },
				})
				if err := s.WaitWhole(context.Background()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Second)
				if k.answers {
					publisher(t, revocation.PublisherConfig{Key: other, Dir: t.TempDir(), Carrier: b.Carrier()})
				}
				added.Optional = false
				if err := s.Trust(added); err != nil {
					t.Fatal(err)
				}
				time.Sleep(k.within)
				if n := ends.Load(); n != k.ends || lines.count("stale, end: another") != int(k.ends) {
					t.Errorf("End was called %d times after %v, want %d; %d alarms", n, k.within, k.ends, lines.count("stale"))
				}
			})
		})
	}
}

// What a server does without Authorize, it does with a Subscriber's.
func TestAuthorizeComparesScopes(t *testing.T) {
	t.Parallel()
	key := revocation.GenerateSigningKey()
	s, err := revocation.NewSubscriber(revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: revocationtest.NewBroker(1).Carrier(), Sink: newSink()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Authorize(nil)(&session.Admission{Why: session.Renewing}); err != nil {
		t.Error(err)
	}
}

// An optional publisher's silence is shown and has no other consequence.
func TestOptionalPublisher(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, other := revocation.GenerateSigningKey(), revocation.GenerateSigningKey()
		publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		p, stop := publisher(t, revocation.PublisherConfig{Key: other, Dir: t.TempDir(), Carrier: b.Carrier()})
		server := newSink()
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key), match("match 1", other)}, Carrier: b.Carrier(), Sink: server})
		append1(t, p, ban("cheat"))
		within(t, 3*time.Second, "banned", func() bool { return server.banned("cheat") && !s.Status().Stale })
		stop()
		time.Sleep(time.Minute)
		st := s.Status()
		if st.Stale || !st.Publishers[1].Stale || !st.Publishers[1].Closed || !server.banned("cheat") {
			t.Errorf("%+v", st)
		}
	})
}
