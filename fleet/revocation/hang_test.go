package revocation

import (
	"testing"
	"time"
)

// "After this process has stood still, as on a machine that is suspended, that takes another Stale."
func TestStandingStill(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"a publisher that goes on": false, "one that has ended": true} {
		t.Run(name, func(t *testing.T) {
			key, now := GenerateSigningKey(), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
			p := storePublisher(t, fastDir(t), key, now)
			defer p.store.close()
			config, err := SubscriberConfig{
				Trusted: []Trusted{{Name: "central", Key: key.Public(), Kinds: AllKinds}}, Carrier: modelCarrier{}, Sink: newModelSink(),
				Mode: EndSessions, End: func() {},
			}.WithDefaults()
			if err != nil {
				t.Fatal(err)
			}
			c := newCore(config, now, func(b []byte) { b[0]++ })
			play := func(d time.Duration, silent bool) (ended bool) {
				for end, beat := now.Add(d), now; now.Before(end); now = now.Add(tickEvery) {
					c.tick(now)
					ended = ended || c.ended
					if m := c.ask(now); m != nil {
						p.asked(m)
					}
					for _, l := range c.loads(now) {
						c.loaded(now, l.publisher, nil)
					}
					if !silent && !now.Before(beat) {
						c.receive(now, p.head(now, false))
						beat = now.Add(time.Second)
					}
				}
				return ended
			}
			play(time.Minute, false)
			now = now.Add(time.Hour)
			if play(config.Stale, silent) {
				t.Error("End was called because the process stood still")
			}
			if ended := play(time.Second, silent); ended != silent {
				t.Errorf("End was called: %v, want %v", ended, silent)
			}
		})
	}
}
