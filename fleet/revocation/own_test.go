package revocation_test

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/session"
)

func used(id byte) session.Used {
	return session.Used{Kind: session.UsedToken, ID: [16]byte{id}, Until: time.Now().Add(time.Hour)}
}

// What the process itself publishes needs no carrier; what was used here is not told to the server
// again, until a process after this one has to know it.
func TestOwnRecords(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, other, dir := revocation.GenerateSigningKey(), revocation.GenerateSigningKey(), t.TempDir()
		carrier := b.Carrier()
		carrier.Cut(true)
		begin := func() (*revocation.Publisher, *revocation.Subscriber, *sink, func()) {
			server := newSink()
			p, stop := publisher(t, revocation.PublisherConfig{Name: "match 1", Key: key, Dir: dir, Carrier: carrier})
			s, end := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{match("match 2", other)}, Carrier: carrier, Sink: server, Own: p})
			return p, s, server, func() { end(); stop() }
		}
		p, s, server, stop := begin()
		append1(t, p, ban("cheat"))
		if !p.Enqueue(revocation.UsedRecord(used(1))) {
			t.Error("Enqueue refuses")
		}
		within(t, time.Second, "in force", func() bool { return server.banned("cheat") && p.Stats().Last == 2 })
		if len(server.used) != 0 {
			t.Error("what was used here is used up again")
		}
		append1(t, p, ban("other"), lift("cheat"))
		time.Sleep(time.Second)
		if !server.banned("cheat") {
			t.Error("lifted before it is known who else has banned the player")
		}
		carrier.Cut(false)
		within(t, 3*time.Second, "lifted", func() bool { return !server.banned("cheat") && server.banned("other") })
		if st := s.Status(); len(st.Publishers) != 2 || !st.Publishers[1].Optional || st.Publishers[1].Applied != 4 {
			t.Errorf("%+v", st)
		}
		stop()
		_, _, server, _ = begin()
		within(t, 5*time.Second, "known after a restart", func() bool {
			server.mu.Lock()
			defer server.mu.Unlock()
			return server.used[[16]byte{1}] == session.UsedToken
		})
		if !server.banned("other") || server.banned("cheat") {
			t.Error("a ban was lost, or a lift")
		}
	})
}

// What many goroutines use up at once is published together.
func TestEnqueueTogether(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key := revocation.GenerateSigningKey()
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		server := newSink()
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{match("match 1", key)}, Carrier: b.Carrier(), Sink: server})
		_ = s
		for i := range 100 {
			go p.Enqueue(revocation.UsedRecord(used(byte(i + 1))))
		}
		took := within(t, 100*time.Millisecond, "used up", func() bool { return p.Stats().Last == 100 })
		if n := p.Stats().Segments; n > 3 {
			t.Errorf("%d segments after %v", n, took)
		}
		if p.Enqueue(revocation.Record{}) {
			t.Error("Enqueue takes a record that is none")
		}
	})
}
