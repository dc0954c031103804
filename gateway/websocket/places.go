package websocket

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// places counts connections, in all and for each source: an IPv4 address, or an IPv6 /64, and with it the
// /56 and the /48 that one customer of a provider may have as a whole. When all places are taken, a
// stranger gives way to a newcomer: the one that has come first of the address, or /48, with most of them,
// so that whoever has few addresses displaces nobody else. When all of a source are, it is one of that
// source: not all who share an address are honest. It is safe for concurrent use.
type places struct {
	config *Config // constant

	mu sync.Mutex
	// +checklocks:mu
	taken int
	// +checklocks:mu
	sources map[netip.Prefix]int // how many each has
	// +checklocks:mu
	strangers map[netip.Prefix][]*place // by site, in the order in which they came
}

// place is what a connection has from take to give.
type place struct {
	from  netip.Addr   // constant
	site  netip.Prefix // the widest of its sources, invalid without; constant
	began time.Time    // constant

	stranger atomic.Bool // it carries no session, and may give way; places.mark sets it
	end      func()      // ends the connection, and does not wait; constant from the first mark on
	given    bool        // of places, under its lock
}

func newPlaces(config *Config) *places {
	return &places{config: config, sources: make(map[netip.Prefix]int), strangers: make(map[netip.Prefix][]*place)}
}

// source is a prefix whose connections are counted together, and how many it may have.
type source struct {
	netip.Prefix
	most int
}

// sourcesOf returns the sources that an address belongs to, the widest last; none for the zero address,
// that of a proxy.
func (p *places) sourcesOf(a netip.Addr) (list []source) {
	most := p.config.MaxPerSource
	add := func(bits, most int) {
		prefix, _ := a.WithZone("").Prefix(bits)
		list = append(list, source{prefix, most})
	}
	switch half := max(most, p.config.MaxConnections/2); {
	case a.Is4():
		add(32, most)
	case a.Is6():
		add(64, most)
		add(56, min(most*subnetShare, half))
		add(48, half)
	}
	return list
}

// take takes a place for a connection from an address. It returns nil if there is none.
func (p *places) take(now time.Time, from netip.Addr) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	sources, site := p.sourcesOf(from), netip.Prefix{}
	if len(sources) > 0 {
		site = sources[len(sources)-1].Prefix
	}
	for _, s := range sources {
		if p.sources[s.Prefix] >= s.most && !p.makeRoomIn(now, s.Prefix, site) {
			return nil
		}
	}
	if p.taken >= p.config.MaxConnections && !p.makeRoom(now, site) {
		return nil
	}
	p.taken++
	for _, s := range sources {
		p.sources[s.Prefix]++
	}
	return &place{from: from, site: site, began: now}
}

// makeRoom ends a stranger for a newcomer from a site, unless it is young and the newcomer's site would then
// have more of them: else many newcomers would keep each other from ever signing in. It reports false if
// nobody gives way.
//
// +checklocks:p.mu
func (p *places) makeRoom(now time.Time, site netip.Prefix) bool {
	var most []*place
	for _, list := range p.strangers {
		if len(list) > len(most) || len(list) == len(most) && list[0].began.Before(most[0].began) {
			most = list
		}
	}
	if most == nil || now.Sub(most[0].began) < signInTime && len(most)-1 < len(p.strangers[site])+1 {
		return false
	}
	p.displace(most[0])
	return true
}

// makeRoomIn ends a stranger for a newcomer from the same source, which is of this site, unless all are
// young. The wider sources, and the whole, then have room, too. It reports false if nobody gives way.
//
// +checklocks:p.mu
func (p *places) makeRoomIn(now time.Time, from, site netip.Prefix) bool {
	list := p.strangers[site]
	i := slices.IndexFunc(list, func(c *place) bool {
		return from.Contains(c.from.WithZone("")) && now.Sub(c.began) >= signInTime
	})
	if i < 0 {
		return false
	}
	p.displace(list[i])
	return true
}

// displace ends a connection and takes its place back.
//
// +checklocks:p.mu
func (p *places) displace(c *place) {
	p.giveBack(c)
	c.end()
}

// mark notes whether a connection is a stranger's, who may give way. One of a proxy never is.
func (p *places) mark(c *place, stranger bool) {
	if c.stranger.Load() == stranger { // as almost always
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list(c, stranger)
}

// list puts a connection on the list of strangers, or takes it off.
//
// +checklocks:p.mu
func (p *places) list(c *place, stranger bool) {
	if c.given || !c.site.IsValid() || c.stranger.Swap(stranger) == stranger {
		return
	}
	if stranger {
		list := p.strangers[c.site]
		i := len(list)
		for i > 0 && c.began.Before(list[i-1].began) { // its session is over, and others have come since
			i--
		}
		p.strangers[c.site] = slices.Insert(list, i, c)
		return
	}
	rest := slices.DeleteFunc(p.strangers[c.site], func(o *place) bool { return o == c })
	if p.strangers[c.site] = rest; len(rest) == 0 {
		delete(p.strangers, c.site)
	}
}

// give gives a place back, unless its connection has given way.
func (p *places) give(c *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.giveBack(c)
}

// giveBack gives a place back, once.
//
// +checklocks:p.mu
func (p *places) giveBack(c *place) {
	if c.given {
		return
	}
	p.list(c, false)
	c.given = true
	p.taken--
	for _, s := range p.sourcesOf(c.from) {
		if p.sources[s.Prefix]--; p.sources[s.Prefix] <= 0 {
			delete(p.sources, s.Prefix)
		}
	}
}
