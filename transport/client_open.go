package transport

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
)

// datagram opens a datagram of the line's.
//
// +checklocks:c.mu
func (c *Client) datagram(now time.Time, from netip.AddrPort, b []byte) {
	if c.next != nil || c.former != nil {
		c.among(now, from, b)
		return
	}
	if !udp.Same(from, c.line.remote) {
		return
	}
	c.came(b)
	_, failed := c.open(now, c.line, b)
	c.stats.Dropped += failed
}

// among opens a datagram when there is more than one connection it may be of. Since
// opening destroys what it fails on, each gets a copy.
//
// +checklocks:c.mu
func (c *Client) among(now time.Time, from netip.AddrPort, b []byte) {
	lines := [3]*line{c.line, c.next, c.former}
	any := false
	for i, l := range lines {
		if l == nil || !udp.Same(from, l.remote) {
			lines[i] = nil
		} else {
			any = true
		}
	}
	if !any {
		return
	}
	c.came(b)
	n := lines[1]
	if n != nil && n.record == nil && dtls.IsHandshake(b) {
		n.deliver(now, b)
		return
	}
	for _, l := range lines {
		if l == nil || l.record == nil {
			continue
		}
		c.copy = append(c.copy[:0], b...)
		if any, _ := c.open(now, l, c.copy); any {
			if l == n {
				n.heard = now
			}
			return
		}
	}
	if n != nil && n.record == nil {
		n.deliver(now, b)
		return
	}
	c.stats.Dropped++
}

// open opens the records of a datagram, and says whether any was the line's, and how
// many were not.
//
// +checklocks:c.mu
func (c *Client) open(now time.Time, l *line, b []byte) (any bool, failed uint64) {
	for len(b) > 0 {
		rec, rest, ok := record.Next(b)
		if !ok {
			return any, failed + 1
		}
		b = rest
		typ, plaintext, err := l.record.Open(rec)
		if err != nil {
			failed++
			continue
		}
		any = true
		switch {
		case typ == record.ApplicationData:
			c.envelope(now, l, plaintext)
		case typ == record.Alert && dtls.IsFinal(plaintext):
			c.disconnect(now, l)
		}
	}
	return any, failed
}
