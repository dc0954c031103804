package transport

import (
	"context"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// addresses are where the server may be.
type addresses struct {
	place    udp.Place        // constant
	known    []netip.AddrPort // what the server's name resolved to when it was last looked up
	lookedAt time.Time        // when that began
}

// target returns where attempt n goes: to where the server was, and while that is in vain to the
// other addresses that its name has by now, in turn. On a carrier there is no such address.
func (a *addresses) target(was netip.AddrPort, n int) netip.AddrPort {
	var addrs []netip.AddrPort
	if was.IsValid() {
		addrs = append(addrs, was)
	}
	for _, addr := range a.known {
		if !udp.Same(addr, was) {
			addrs = append(addrs, addr)
		}
	}
	return addrs[n%len(addrs)]
}

// lookUpDue reports whether to look the server's name up again, if it has one: it may have other
// addresses by now.
func (a *addresses) lookUpDue(now time.Time) bool {
	if a.place.Name == "" || now.Sub(a.lookedAt) < lookInterval {
		return false
	}
	a.lookedAt = now
	return true
}

// lookUp looks the server's name up again.
func (c *Client) lookUp(place udp.Place) {
	ctx, cancel := context.WithTimeout(c.background.ctx, lookInterval)
	defer cancel()
	known, err := place.Look(ctx, maxAddresses)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.state.addresses.known = known
	}
}
