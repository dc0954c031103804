package revocation_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/session"
)

// logs is a buffer that several goroutines write.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), text)
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// A publisher's records of kinds that it may not publish are ignored, and so is its lift of another
// publisher's ban.
func TestForbidden(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, other := revocation.GenerateSigningKey(), revocation.GenerateSigningKey()
		c, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		m, _ := publisher(t, revocation.PublisherConfig{Key: other, Dir: t.TempDir(), Carrier: b.Carrier()})
		server, lines, log := newSink(), &records{}, &logs{}
		s, _ := subscriber(t, revocation.SubscriberConfig{
			Trusted: []revocation.Trusted{central(key), match("match 1", other)}, Carrier: b.Carrier(), Sink: server, Audit: lines, Logger: log.logger(),
		})
		within(t, 3*time.Second, "fresh", func() bool { return !s.Status().Stale })
		banned := append1(t, c, ban("cheat"), ban("liar"))
		append1(t, m, subject("honest"), lift("cheat"), revocation.Record{
			Kind: revocation.KindLift, Issuer: "issuer", Value: "liar", Of: c.ID(), At: banned[1].Time,
		}, ban("fool"))
		within(t, time.Second, "in force", func() bool { return server.banned("fool") })
		if server.revokedSubject("honest") || !server.banned("cheat") || !server.banned("liar") {
			t.Error("a match server has revoked a player, or lifted another publisher's ban")
		}
		if n := s.Status().Counts.Forbidden; n != 2 {
			t.Errorf("%d records were forbidden", n)
		}
		if lines.count("forbidden match 1") != 1 || !log.has("a publisher has published what it may not") {
			t.Error("not audited, or not logged")
		}
		// The central publisher may: it names the ban.
		fool := append1(t, m, ban("fool"))
		append1(t, c, revocation.Record{Kind: revocation.KindLift, Issuer: "issuer", Value: "fool", Of: m.ID(), At: fool[0].Time})
		within(t, time.Second, "lifted", func() bool { return !server.banned("fool") })
	})
}

// What is not signed by a trusted key is ignored, counted, logged and audited.
func TestForged(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, stranger := revocation.GenerateSigningKey(), revocation.GenerateSigningKey()
		publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		server, lines, log := newSink(), &records{}, &logs{}
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: server, Audit: lines, Logger: log.logger()})
		within(t, 3*time.Second, "fresh", func() bool { return !s.Status().Stale })
		p, stop := publisher(t, revocation.PublisherConfig{Key: stranger, Dir: t.TempDir(), Carrier: b.Carrier()})
		append1(t, p, ban("honest"))
		time.Sleep(2 * time.Second)
		stop()
		state := b.Backup()
		for k, m := range state { // under the name of the trusted publisher
			m = bytes.Clone(m)
			id := revocation.IDOf(key.Public())
			copy(m[2:], id[:])
			b.Inject(revocation.TopicLive, m)
			state[revocation.StateKey{Publisher: id, First: k.First}] = m
		}
		b.Restore(state)
		time.Sleep(time.Minute)
		st := s.Status()
		if server.banned("honest") || st.Counts.Unknown == 0 || st.Counts.Forged == 0 || st.Stale {
			t.Errorf("banned %v, %+v", server.banned("honest"), st)
		}
		if lines.count("forged central") == 0 || !log.has("a message with a wrong signature was ignored") {
			t.Error("not audited, or not logged")
		}
	})
}

// "A broker whose store is rolled back or emptied un-revokes nobody", and is filled again from the
// publisher's store.
func TestRolledBack(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key := revocation.GenerateSigningKey()
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		append1(t, p, ban("early"))
		time.Sleep(time.Second)
		backup := b.Backup()
		append1(t, p, ban("late"), lift("early"))
		config := revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: newSink()}
		server := config.Sink.(*sink)
		s, _ := subscriber(t, config)
		within(t, 3*time.Second, "whole", func() bool { return !s.Status().Stale })
		time.Sleep(time.Minute)
		for _, state := range []map[revocation.StateKey][]byte{backup, nil} {
			b.Restore(state)
			fresh := newSink()
			config.Sink = fresh
			began := time.Now()
			other, stop := subscriber(t, config)
			within(t, 40*time.Second, "whole from a state that was rolled back", func() bool { return !other.Status().Stale })
			t.Logf("%v until the state was whole again", time.Since(began))
			if !server.banned("late") || !fresh.banned("late") || server.banned("early") || fresh.banned("early") {
				t.Error("somebody was un-revoked, or banned again")
			}
			stop()
		}
	})
}

// Records reach everybody in spite of a line that loses, repeats and reorders.
func TestLossyLine(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		b.Disturb(revocationtest.Faults{Lose: 0.4, Repeat: 0.2, Hold: 0.2})
		key := revocation.GenerateSigningKey()
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		server := newSink()
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: server})
		within(t, 20*time.Second, "fresh", func() bool { return !s.Status().Stale })
		worst := time.Duration(0)
		for i := range 200 {
			name := time.Duration(i).String()
			append1(t, p, subject(name))
			worst = max(worst, within(t, 6*time.Second, "in force", func() bool { return server.revokedSubject(name) }))
		}
		t.Logf("at most %v", worst)
		if s.Status().Stale {
			t.Error("stale")
		}
	})
}

// The broker is absent when everybody starts: the publisher keeps what it is told, and servers admit
// nobody new until the broker is there.
func TestBrokerAbsent(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, log := revocation.GenerateSigningKey(), &logs{}
		mine, theirs := b.Carrier(), b.Carrier()
		mine.Cut(true)
		theirs.Cut(true)
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: mine, Logger: log.logger()})
		append1(t, p, ban("cheat"))
		server := newSink()
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: theirs, Sink: server, Logger: log.logger()})
		time.Sleep(time.Minute)
		if !s.Status().Stale || server.banned("cheat") {
			t.Error("not stale without a broker")
		}
		for _, line := range []string{"the carrier does not store", "the carrier does not give what is stored", "nothing current from a publisher"} {
			if !log.has(line) {
				t.Errorf("not logged: %s", line)
			}
		}
		mine.Cut(false)
		theirs.Cut(false)
		within(t, 5*time.Second, "whole", func() bool { return !s.Status().Stale && server.banned("cheat") })
	})
}

// A publisher that has lost its store begins a new epoch: what servers have stays in force, and what
// the carrier still has is published again.
func TestStoreLost(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key := revocation.GenerateSigningKey()
		p, stop := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		server := newSink()
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: server})
		append1(t, p, ban("one"), ban("two"), lift("two"))
		within(t, 3*time.Second, "whole", func() bool { return !s.Status().Stale })
		epoch := s.Status().Publishers[0].Epoch
		stop()
		b.Restore(nil)
		p, _ = publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		append1(t, p, ban("three"))
		within(t, 3*time.Second, "whole", func() bool { return server.banned("three") && s.Status().Publishers[0].Applied == 1 })
		time.Sleep(time.Minute)
		if !server.banned("one") || server.banned("two") || s.Status().Stale || s.Status().Publishers[0].Epoch <= epoch {
			t.Errorf("one banned %v, two banned %v, %+v", server.banned("one"), server.banned("two"), s.Status())
		}
		append1(t, p, lift("one"))
		within(t, time.Second, "lifted", func() bool { return !server.banned("one") })
	})
}

// A publisher that has lost its store, and finds the broker away when it starts, publishes again what
// the broker has kept, before that is overwritten: bans that hold, and none that was lifted since, by it or
// by others. "One that is published again keeps its Time, and is the same record": that is done once, and no
// start does it again.
func TestStoreLostWhileBrokerAway(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, other := revocation.GenerateSigningKey(), revocation.GenerateSigningKey()
		p, stop := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		lifter, _ := publisher(t, revocation.PublisherConfig{Key: other, Dir: t.TempDir(), Carrier: b.Carrier()})
		used := revocation.Record{Kind: revocation.KindUsed, Used: session.UsedToken, ID: [16]byte{7}, Until: time.Now().Add(time.Hour)}
		banned := append1(t, p, ban("one"), subject("two"), ban("three"), lift("three"), ban("four"), ban("five"), used, ban("seven"))
		time.Sleep(time.Second)
		append1(t, p, lift("four"), ban("six"))
		append1(t, lifter, revocation.Record{Kind: revocation.KindLift, Issuer: "issuer", Value: "seven", Of: p.ID(), At: banned[7].Time})
		time.Sleep(time.Second)
		stop()

		carrier := b.Carrier()
		carrier.Cut(true)
		config := revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: carrier}
		check := func(last uint64, again bool) {
			t.Helper()
			log := &logs{}
			config.Logger = log.logger()
			p, stop := publisher(t, config)
			if last == 0 {
				append1(t, p, ban("new"), lift("five"))
				time.Sleep(20 * time.Second)
				carrier.Cut(false)
			}
			time.Sleep(time.Minute)
			defer stop()
			if n := p.Stats().Last; last > 0 && n != last {
				t.Errorf("%d records, want %d", n, last)
			}
			if log.has("the store had lost records that the carrier had") != again {
				t.Errorf("logged that records were published again: %v", !again)
			}
			for k, m := range b.Backup() {
				if k.Publisher == p.ID() && binary.BigEndian.Uint64(m[10:]) != p.Stats().Epoch {
					t.Errorf("a segment of a former epoch is stored as %d", k.First)
				}
			}
			server := newSink()
			s, end := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key), central(other)}, Carrier: b.Carrier(), Sink: server})
			defer end()
			within(t, 3*time.Second, "whole", func() bool { return !s.Status().Stale })
			for name, want := range map[string]bool{"one": true, "three": false, "four": false, "five": false, "six": true, "seven": false, "new": true} {
				if server.banned(name) != want {
					t.Errorf("%s: banned %v", name, !want)
				}
			}
			if !server.revokedSubject("two") || server.used[used.ID] != session.UsedToken {
				t.Error("a revocation or a used token is lost")
			}
		}
		check(0, true)
		for range 2 {
			check(9, false)
		}
	})
}

// With the carrier's state a lost store is restored.
func TestStoreRestored(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, log := revocation.GenerateSigningKey(), &logs{}
		p, stop := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		append1(t, p, ban("one"), subject("two"))
		time.Sleep(time.Second)
		stop()
		p, _ = publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier(), Logger: log.logger()})
		if st := p.Stats(); st.Last != 2 || st.Records != 2 || !log.has("the store had lost records; the carrier had them") {
			t.Errorf("%+v", st)
		}
	})
}

// Of two processes with one key the one with the later epoch goes on.
func TestSuperseded(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, log := revocation.GenerateSigningKey(), &logs{}
		first, err := revocation.OpenPublisher(revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier(), Logger: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- first.Run(context.Background()) }()
		time.Sleep(5 * time.Second)
		second, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		if err := <-ended; !errors.Is(err, revocation.ErrSuperseded) {
			t.Errorf("Run: %v", err)
		}
		if _, err := first.Append(ban("x")); !errors.Is(err, revocation.ErrSuperseded) {
			t.Errorf("Append: %v", err)
		}
		append1(t, second, ban("x"))
		if !log.has("another process publishes with this key") {
			t.Error("not logged")
		}
		_ = first.Close()
	})
}

// "Two processes on one directory are refused."
func TestOneProcess(t *testing.T) {
	t.Parallel()
	config := revocation.PublisherConfig{Key: revocation.GenerateSigningKey(), Dir: t.TempDir(), Carrier: revocationtest.NewBroker(1).Carrier()}
	p, err := revocation.OpenPublisher(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := revocation.OpenPublisher(config); !errors.Is(err, revocation.ErrStore) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("%v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = revocation.OpenPublisher(config); err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	if _, err := p.Append(ban("x")); !errors.Is(err, revocation.ErrClosed) || p.Enqueue(ban("x")) {
		t.Errorf("%v", err)
	}
	if st, err := os.Stat(config.Dir); err != nil || !st.IsDir() {
		t.Error(err)
	}
}
