package websocket

import "net/netip"

// places counts connections, in all and for each source: an IPv4 address, or an IPv6 /64, and with it the
// /56 and the /48 that one customer of a provider may have as a whole.
type places struct {
	config  *Config // constant
	taken   int
	sources map[netip.Prefix]int // how many each has
}

func newPlaces(config *Config) places {
	return places{config: config, sources: make(map[netip.Prefix]int)}
}

// source is a prefix whose connections are counted together, and how many it may have.
type source struct {
	netip.Prefix
	most int
}

// sourcesOf returns the sources that an address belongs to; none for the zero address, that of a proxy.
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

// take takes a place for a connection from an address, and reports whether there was one.
func (p *places) take(a netip.Addr) bool {
	sources := p.sourcesOf(a)
	for _, s := range sources {
		if p.sources[s.Prefix] >= s.most {
			return false
		}
	}
	if p.taken >= p.config.MaxConnections {
		return false
	}
	p.taken++
	for _, s := range sources {
		p.sources[s.Prefix]++
	}
	return true
}

// give gives it back.
func (p *places) give(a netip.Addr) {
	p.taken--
	for _, s := range p.sourcesOf(a) {
		if p.sources[s.Prefix]--; p.sources[s.Prefix] <= 0 {
			delete(p.sources, s.Prefix)
		}
	}
}
