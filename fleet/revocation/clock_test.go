package revocation

import (
	"strings"
	"testing"
	"time"

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
	c.started = true
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
