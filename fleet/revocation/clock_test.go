package revocation

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/session"
)

// timeSink keeps the times of revocations.
type timeSink struct {
	*modelSink
	times map[string]time.Time
}

func (s timeSink) Revoke(r session.Revocation) (int, error) {
	s.times[r.Value] = r.Time
	return 0, nil
}

// eventSink keeps the details of alarms.
type eventSink struct{ details []string }

func (s *eventSink) Record(e audit.Event) { s.details = append(s.details, e.Detail) }

// "Clocks a minute apart do not trip": nobody is stale for it, and a subject's tokens are refused that
// were issued until it was revoked, whatever the publisher's clock says.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, -time.Minute, -500 * time.Millisecond, 0, time.Minute, time.Hour} {
		key := GenerateSigningKey()
		now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		p := storePublisher(t, fastDir(t), key, now.Add(ahead))
		sink, events := timeSink{newModelSink(), make(map[string]time.Time)}, &eventSink{}
		config, err := SubscriberConfig{
			Trusted: []Trusted{{Name: "central", Key: key.Public(), Kinds: AllKinds}}, Carrier: modelCarrier{}, Sink: sink, Audit: events,
		}.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		c := newCore(config, now, func(b []byte) { b[0]++ })
		beat := func() {
			now = now.Add(time.Second)
			if m := c.ask(now.Add(-100 * time.Millisecond)); m != nil {
				p.asked(m)
			}
			c.receive(now, p.head(now.Add(ahead-50*time.Millisecond), false))
			c.tick(now)
		}
		for range 100 {
			beat()
		}
		f := c.order[0]
		if f.stale(now, 3*time.Second) {
			t.Errorf("%v ahead: stale", ahead)
		}
		issued := now.Add(-time.Hour)
		segments, err := p.append(now.Add(ahead), []Record{
			{Kind: KindSubject, Issuer: "issuer", Value: "now"}, {Kind: KindSubject, Issuer: "issuer", Value: "before", IssuedBy: issued},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.receive(now.Add(time.Millisecond), segments[0].bytes)
		want := now
		if ahead == -time.Hour { // more than is believed of a clock
			want = now.Add(ahead + maxShift)
		}
		if off := sink.times["now"].Sub(want); off < -time.Second || off > time.Millisecond {
			t.Errorf("%v ahead: tokens issued up to %v after the revocation are refused", ahead, off)
		}
		if !sink.times["before"].Equal(issued) {
			t.Errorf("%v ahead: IssuedBy is %v", ahead, sink.times["before"])
		}
		if apart, said := ahead.Abs() > clockApart, strings.Contains(strings.Join(events.details, "\n"), "clock central"); apart != said {
			t.Errorf("%v ahead: audited %q", ahead, events.details)
		}
		_ = p.store.close()
	}
}

// A publisher whose clock is far ahead, or was, takes nothing from others: what it revokes does not
// make a server forget, and a publisher's own records are ordered whatever its clock does.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	key, now := GenerateSigningKey(), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	p := storePublisher(t, fastDir(t), key, now)
	defer p.store.close()
	sink := timeSink{newModelSink(), make(map[string]time.Time)}
	config, err := SubscriberConfig{Trusted: []Trusted{{Name: "central", Key: key.Public(), Kinds: AllKinds}}, Carrier: modelCarrier{}, Sink: sink}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := newCore(config, now, nil)
	add := func(at time.Time, r Record) {
		t.Helper()
		segments, err := p.append(at, []Record{r})
		if err != nil {
			t.Fatal(err)
		}
		c.receive(now, segments[0].bytes)
	}
	c.started, c.order[0].loaded = true, true
	player := Record{Issuer: "issuer", Value: "player"}
	ban, lift := player, player
	ban.Kind, lift.Kind = KindBan, KindLift
	add(now.AddDate(1, 0, 0), Record{Kind: KindSubject, Issuer: "issuer", Value: "next year"})
	if sink.times["next year"].After(now) {
		t.Errorf("a time to come: %v", sink.times["next year"])
	}
	add(now, lift)
	add(now.Add(-time.Hour), ban)
	if len(sink.bans) != 1 {
		t.Error("a lift has ended a later ban")
	}
	add(now.Add(-2*time.Hour), lift)
	if len(sink.bans) != 0 {
		t.Error("a lift has not ended an earlier ban")
	}
}

// A publisher's clock was an hour ahead, when something was published, and is right when a subject is
// revoked: every server refuses the tokens that were issued until then, and no later ones, also one that
// reads it later.
func TestClockWasAhead(t *testing.T) {
	t.Parallel()
	key, now := GenerateSigningKey(), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	dir := fastDir(t)
	p := storePublisher(t, dir, key, now)
	if _, err := p.append(now.Add(time.Hour), []Record{oneToken(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.append(now, []Record{{Kind: KindSubject, Issuer: "issuer", Value: "alice"}}); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, 30 * time.Minute, 2 * time.Hour} {
		sink := timeSink{newModelSink(), make(map[string]time.Time)}
		config, err := SubscriberConfig{Trusted: []Trusted{{Name: "central", Key: key.Public(), Kinds: AllKinds}}, Carrier: modelCarrier{}, Sink: sink}.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		c := newCore(config, now.Add(after), nil)
		_ = p.segments(0, func(m []byte) error { c.receive(now.Add(after), m); return nil })
		if got := sink.times["alice"]; !got.Equal(now) {
			t.Errorf("after %v tokens are refused that were issued up to %v after the revocation", after, got.Sub(now))
		}
		_ = p.store.close() // and the same from what the next process has signed
		p = storePublisher(t, dir, key, now.Add(after))
	}
	_ = p.store.close()
}

// A clock that is set, the publisher's or the subscriber's, counts from the next heartbeat on: a
// subject's tokens are refused that were issued until the revocation, and no later ones.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	for _, step := range []struct{ theirs, ours time.Duration }{
		{theirs: 5 * time.Minute},
		{theirs: -5 * time.Minute},
		{ours: 5 * time.Minute},
		{ours: -5 * time.Minute},
		{theirs: -2 * time.Minute, ours: 2 * time.Minute},
		{theirs: 2 * time.Minute, ours: 2 * time.Minute},
	} {
		for _, was := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute} {
			key := GenerateSigningKey()
			began := time.Now() // with a monotonic clock, as a process has it
			passed, ahead, set := time.Duration(0), was, time.Duration(0)
			p := storePublisher(t, fastDir(t), key, began)
			sink := timeSink{newModelSink(), make(map[string]time.Time)}
			config, err := SubscriberConfig{Trusted: []Trusted{{Name: "central", Key: key.Public(), Kinds: AllKinds}}, Carrier: modelCarrier{}, Sink: sink}.WithDefaults()
			if err != nil {
				t.Fatal(err)
			}
			c := newCore(config, began, func(b []byte) { b[0]++ })
			at := func() time.Time { return setClock(began.Add(passed), set) }
			beat := func() {
				passed += time.Second
				if m := c.ask(at()); m != nil {
					p.asked(m)
				}
				m := p.head(setClock(began.Add(passed), ahead), false)
				passed += 50 * time.Millisecond
				c.receive(at(), m)
				c.tick(at())
			}
			for range 5 {
				beat()
			}
			if _, err := p.append(began.Add(passed+ahead).Round(0), []Record{oneToken(1)}); err != nil {
				t.Fatal(err)
			}
			ahead, set = ahead+step.theirs, set+step.ours
			beat()
			segments, err := p.append(began.Add(passed+ahead).Round(0), []Record{{Kind: KindSubject, Issuer: "issuer", Value: "now"}})
			if err != nil {
				t.Fatal(err)
			}
			c.receive(at(), segments[0].bytes)
			if off := sink.times["now"].Sub(at().Round(0)); off < -time.Second || off > 0 {
				t.Errorf("was %v ahead, set by %v here and %v there: off by %v", was, step.ours, step.theirs, off)
			}
			_ = p.store.close()
		}
	}
}

// A server that starts reads nothing before it has compared clocks, unless nobody answers: what was
// revoked before it ran counts up to the right time, too.
func TestClocksApartAtStart(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		for _, answers := range []bool{true, false} {
			key, now := GenerateSigningKey(), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
			p := storePublisher(t, fastDir(t), key, now.Add(ahead))
			sink := timeSink{newModelSink(), make(map[string]time.Time)}
			config, err := SubscriberConfig{Trusted: []Trusted{{Name: "central", Key: key.Public(), Kinds: AllKinds}}, Carrier: modelCarrier{}, Sink: sink}.WithDefaults()
			if err != nil {
				t.Fatal(err)
			}
			segments, err := p.append(now.Add(ahead), []Record{{Kind: KindSubject, Issuer: "issuer", Value: "before"}})
			if err != nil {
				t.Fatal(err)
			}
			revoked, began := now, now.Add(10*time.Minute)
			c := newCore(config, began, func(b []byte) { b[0]++ })
			for now = began; len(sink.times) == 0; now = now.Add(tickEvery) {
				c.tick(now)
				if m := c.ask(now); m != nil && answers {
					p.asked(m)
				}
				for _, l := range c.loads(now) {
					c.receive(now, segments[0].bytes)
					c.loaded(now, l.publisher, nil)
				}
				if now.Sub(began) == 2*tickEvery {
					c.receive(now, p.head(now.Add(ahead-tickEvery), false))
				}
				if now.Sub(began) > time.Second {
					t.Fatal("nothing is read")
				}
			}
			want := revoked
			if !answers {
				want = want.Add(ahead)
			}
			if off := sink.times["before"].Sub(want); off.Abs() > 200*time.Millisecond {
				t.Errorf("%v ahead, answers %v: off by %v", ahead, answers, off)
			}
			_ = p.store.close()
		}
	}
}

// setClock returns t as it is read from a clock that somebody has set by d, in whole seconds: the wall
// clock is another one, and what never steps is the same.
func setClock(t time.Time, d time.Duration) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t)) // seconds from bit 30 on, and the flag in the highest bit that there is a monotonic clock
	*wall += uint64(d/time.Second) << 30
	return t
}
