package machine

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/session"
)

// servers are gates of one fleet, which tell each other what is used up when the test says so.
type servers struct {
	testing.TB
	gates []*Gate
	mu    sync.Mutex
	// +checklocks:mu
	said []session.Used // not told yet
	// +checklocks:mu
	all []session.Used
}

// servers makes n further servers of the fleet of d; the first is where d's session will be opened.
func newServers(t testing.TB, n int, gc session.Config) (*servers, *dialogue) {
	t.Helper()
	f := &servers{TB: t}
	gc.OnUsed = f.hear
	gc.FleetKeys = fleet(t)
	d := connectOnly(t, gc, session.ClientConfig{})
	addIDs(d.claims["identity"])
	d.getsConnectionID()
	f.gates = []*Gate{d.gate}
	for len(f.gates) < n {
		f.gates = append(f.gates, d.anotherServer(gc))
	}
	return f, d
}

func (f *servers) hear(u session.Used) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said, f.all = append(f.said, u), append(f.all, u)
}

// takes returns what has been said and not been told.
func (f *servers) takes() []session.Used {
	f.mu.Lock()
	defer f.mu.Unlock()
	said := f.said
	f.said = nil
	return said
}

// tells tells every server, that which has said it too, and returns what it was.
func (f *servers) tells(d *dialogue) []session.Used {
	said := f.takes()
	for _, g := range f.gates {
		g.Use(d.now, said...)
	}
	return said
}

// repeats tells everything again, in another order.
func (f *servers) repeats(d *dialogue) {
	f.mu.Lock()
	all := slices.Clone(f.all)
	f.mu.Unlock()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, g := range f.gates {
		g.Use(d.now, all...)
	}
}

// opens opens the session of d, as transport does.
func (d *dialogue) opens() *dialogue {
	d.Helper()
	d.join()
	d.server.Admitted()
	d.exchangesData()
	return d
}
