package transport

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// redirect is another server of the fleet on which this one asks the client to resume, by NOTICE of
// drain. The address is no more than a hint: who answers there has to show the certificate that Dial
// asks for. Until the session is resumed there it lives where it was.
type redirect struct {
	to        string    // host:port; empty if there is none
	addresses addresses // of to; none are known before the name is looked up
	since     time.Time // when the server has named it
	from      time.Time // no attempt before
	until     time.Time // and none after
	failed    int       // attempts in vain
	closed    error     // the server has closed the session, which goes on there or not at all

	hops []time.Time // when the session was last resumed so, the first one first; at most maxHops
}

// open reports whether the client is to go to another server.
func (r *redirect) open(now time.Time) bool { return r.to != "" && now.Before(r.until) }

// due reports whether an attempt may be made, and if not, when one may.
func (r *redirect) due(now time.Time) (at time.Time, due bool) {
	switch {
	case !r.open(now) || len(r.addresses.known) == 0:
		return now.Add(time.Hour), false
	case now.Before(r.from):
		return r.from, false
	}
	return now, true
}

// target returns where the next attempt goes.
func (r *redirect) target() netip.AddrPort {
	return r.addresses.known[r.failed%len(r.addresses.known)]
}

// again has the next attempt wait, after one in vain: for twice as long each time.
func (r *redirect) again(now time.Time) {
	r.from = now.Add(attemptPause << min(r.failed, maxDoublings-1))
	r.failed++
}

// hop notes that the session was resumed so.
func (r *redirect) hop(now time.Time) {
	*r = redirect{hops: r.hops}
	if r.hops = append(r.hops, now); len(r.hops) > maxHops {
		r.hops = slices.Delete(r.hops, 0, 1)
	}
}

// exhausted reports whether the client has been sent around too often of late: servers that send it
// to each other would have it do nothing else.
func (r *redirect) exhausted(now time.Time) bool {
	return len(r.hops) == maxHops && now.Sub(r.hops[0]) < hopTime
}

// heed follows a NOTICE of drain with a destination. Any other one, and one that the client must
// not follow, changes nothing. The session lives on current. It returns where the client goes, an
// empty string for nowhere.
func (r *redirect) heed(now time.Time, ev machine.Event, current *clientConn) (to string) {
	host, port, ok := wire.ParseDestination(string(ev.Payload))
	if !ok || !current.machine.Resumable() || r.exhausted(now) {
		return ""
	}
	within := time.Duration(ev.Notice.Within) * time.Millisecond
	until := now.Add(min(max(within, redirectLeast), redirectMost))
	if to = string(ev.Payload); to != r.to {
		if r.open(now) && now.Sub(r.since) < lookInterval {
			return "" // it is repeated
		}
		place := udp.At(host, port)
		*r = redirect{to: to, addresses: addresses{place: place, known: others(place.Addr, current.remote)}, hops: r.hops, closed: r.closed, since: now, from: now}
		if spread := min(within/8, redirectSpread); spread > 0 {
			r.from = now.Add(rand.N(spread)) // so that not everybody comes at once
		}
	}
	r.until = until
	current.machine.SetRedirected(true)
	return to
}

// others returns the addresses but for that of the server on which the session lives.
func others(known []netip.AddrPort, remote netip.AddrPort) (rest []netip.AddrPort) {
	for _, a := range known {
		if !udp.Same(a, remote) {
			rest = append(rest, a)
		}
	}
	return rest
}

// serverClosed notes that the server has shut down: the session goes on where the server has sent the
// client, or not at all, which then is refusal.
func (r *redirect) serverClosed(now time.Time, refusal error) {
	if r.closed == nil {
		r.closed, r.from = refusal, now
	}
	if least := now.Add(redirectLeast); r.until.Before(least) {
		r.until = least
	}
}

// refused handles the refusal of a ticket where the server has sent the client, and reports whether
// a fresh identity token beside it may do. Unless the session's own path is lost, nothing is, and the
// ticket may be accepted there later: the other server may get the fleet's keys yet. Otherwise the
// client goes back to what it does without a destination.
func (r *redirect) refused(now time.Time, ev machine.Event, on resuming, lost bool) (proves bool) {
	r.again(now)
	switch {
	case ev.RetryAfter > 0:
		r.from = now.Add(ev.RetryAfter)
	case on.overtaken, unread(ev.Reason):
	case ev.Reason == wire.ReasonFingerprint, on.proves && concernsToken(ev.Reason):
		r.from = now.Add(refusedPause)
		return true
	case !lost:
		r.from = now.Add(refusedPause)
	default:
		r.until = now
	}
	return false
}

// lookUpRedirect looks the name of a destination up.
func (c *Client) lookUpRedirect(to string, place udp.Place) {
	ctx, cancel := context.WithTimeout(c.background.ctx, lookInterval)
	defer cancel()
	known, err := place.Look(ctx, maxAddresses)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := &c.state.redirect; err == nil && r.to == to {
		r.addresses.known = others(known, c.state.conns.current.remote)
		if c.progress.over() == nil {
			c.tick(c.now())
		}
	}
}
