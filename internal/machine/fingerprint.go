package machine

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// doubt records a change of fingerprint or behaviour that has not ended the session.
type doubt struct {
	event   EventKind        // EventStepUp or EventFlagged, returned by the next Tick; EventNone once returned
	part    fingerprint.Part // of the fingerprint
	flagged bool             // anything has been flagged
	step    *stepUp          // nil unless a token is owed
	home    netip.Prefix     // the network that the session is bound to, while the client is in another one
}

// fingerprintAt returns the session's fingerprint for datagrams from network.
func (c *Conn) fingerprintAt(network netip.Prefix) fingerprint.Fingerprint {
	return c.fingerprintOf(c.session, network)
}

// fingerprintOf returns the fingerprint of s on this connection for datagrams from network.
func (c *Conn) fingerprintOf(s *Session, network netip.Prefix) fingerprint.Fingerprint {
	return fingerprint.Fingerprint{
		Platform: s.fingerprint.Platform, Build: s.fingerprint.Build,
		Certificate: c.channel.Thumbprint, HasCertificate: c.channel.HasCertificate,
		Channel: c.channel.Exporter, Network: network,
	}
}

// digest returns a hash of that fingerprint, which is cheap to compare.
func (c *Conn) digest(network netip.Prefix) uint64 {
	f := c.fingerprintAt(network)
	return f.Digest(c.gate.seed)
}

// bind binds the session to the current fingerprint, which ends a step up.
func (c *Conn) bind() {
	c.boundDigest = c.digest(c.path)
	c.seenDigest = c.boundDigest
	if d := c.doubt; d != nil {
		d.home, d.step = netip.Prefix{}, nil
		if d.event == EventStepUp {
			d.event = EventNone
		}
	}
}

// boundNetwork returns the network that the session is bound to.
func (c *Conn) boundNetwork() netip.Prefix {
	if c.seenDigest == c.boundDigest {
		return c.path
	}
	return c.doubt.home
}

// Away reports whether datagrams come from another network than the session is bound to. It belongs
// to the receiving half.
func (c *Conn) Away() bool { return c.session != nil && c.seenDigest != c.boundDigest }

// Follows reports whether the session may move to an address. It may not leave its network if
// policy requires that network or a step up of this session has lapsed. It belongs to the receiving
// half.
func (c *Conn) Follows(addr netip.Addr) bool {
	config := &c.gate.config.Fingerprint
	return !c.confined && config.Network != policy.ActionRequire || fingerprint.Prefix(config, addr) == c.boundNetwork()
}

// SetPath sets the validated address that datagrams come from. It ends the challenge that was answered.
func (c *Conn) SetPath(now time.Time, addr netip.Addr) {
	if c.probe != nil {
		c.probe.challenged = false
	}
	away, previous := c.seenDigest != c.boundDigest, c.path
	c.path = fingerprint.Prefix(&c.gate.config.Fingerprint, addr)
	c.seenDigest = c.digest(c.path)
	switch {
	case away && c.seenDigest == c.boundDigest:
		c.doubt.home = netip.Prefix{}
		if s := c.owedForNetwork(); s != nil {
			s.enterHome(now)
		}
	case !away && c.seenDigest != c.boundDigest:
		c.setHome(previous)
		if s := c.owedForNetwork(); s != nil {
			s.leaveHome(now)
		}
	}
}

// setHome records the network that the session is bound to.
func (c *Conn) setHome(home netip.Prefix) {
	if c.doubt == nil {
		c.doubt = new(doubt)
	}
	c.doubt.home = home
}

// owes reports whether a step up is owed.
func (c *Conn) owes() bool { return c.doubt != nil && c.doubt.step != nil }

// owedForNetwork returns the step up that a change of network has caused, or nil.
func (c *Conn) owedForNetwork() *stepUp {
	if c.doubt == nil || c.doubt.part != fingerprint.PartNetwork {
		return nil
	}
	return c.doubt.step
}

// checkFingerprint is the second half of step 9, for a fingerprint that has changed.
func (c *Conn) checkFingerprint(now time.Time) audit.Drop {
	if c.owes() {
		s := c.doubt.step
		if s.advance(now); s.left > 0 {
			return audit.DropNone
		}
		return audit.DropFingerprint
	}
	bound, seen := c.fingerprintAt(netip.Prefix{}), c.fingerprintAt(c.path) // on one connection nothing else changes
	action, part := fingerprint.Judge(&c.gate.config.Fingerprint, &bound, &seen)
	if action == policy.ActionRequire || c.confined {
		return audit.DropFingerprint
	}
	c.startDoubt(now, action, part)
	return audit.DropNone
}

// startDoubt applies an action that does not end the session at once.
func (c *Conn) startDoubt(now time.Time, action policy.Action, part fingerprint.Part) {
	switch action {
	case policy.ActionStepUp:
		if c.doubt == nil {
			c.doubt = new(doubt)
		}
		c.doubt.event, c.doubt.part = EventStepUp, part
		c.doubt.step = newStepUp(now, c.gate.config.Fingerprint.StepUpTime)
	case policy.ActionNote:
		c.bind()
		c.flag(part)
	}
}

// flag has the next Tick return EventFlagged, unless another event waits.
func (c *Conn) flag(part fingerprint.Part) {
	if c.doubt == nil {
		c.doubt = new(doubt)
	}
	d := c.doubt
	d.flagged = true
	if d.event == EventNone && d.step == nil {
		d.event, d.part = EventFlagged, part
	}
}

// tickDoubt is the part of Tick for a doubt: it returns the event that waits, and runs a step up.
func (c *Conn) tickDoubt(now time.Time) (Reply, Event) {
	d := c.doubt
	ev := Event{Kind: d.event, Part: d.part}
	d.event = EventNone
	if d.step == nil {
		return Reply{}, ev
	}
	return c.stepUpTick(now, ev)
}

// compareClaims compares the claims of a token with what the client stated and presented. A token
// may leave any of it open.
func (c *Conn) compareClaims(claims *token.Claims, f session.Fingerprint) (policy.Action, fingerprint.Part) {
	stated := fingerprint.Fingerprint{
		Platform: f.Platform, Build: f.Build,
		Certificate: c.channel.Thumbprint, HasCertificate: c.channel.HasCertificate,
	}
	claimed := stated
	if claims.Platform != "" {
		claimed.Platform = claims.Platform
	}
	if claims.Build != "" {
		claimed.Build = claims.Build
	}
	if claims.HasThumbprint {
		claimed.Certificate, claimed.HasCertificate = claims.Thumbprint, true
	}
	return fingerprint.Judge(&c.gate.config.Fingerprint, &claimed, &stated)
}
