package machine

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// doubt records what is not as it should be with a session that goes on.
type doubt struct {
	tell    EventKind    // EventStepUp or EventFlagged, told by the next Tick; EventNone once told
	part    policy.Part  // of the fingerprint
	flagged bool         // something has been recorded
	step    *stepUp      // nil unless a token is owed
	home    netip.Prefix // the network that the session is bound to, while the player is in another
}

// print is what the session's fingerprint is when datagrams come from a network.
func (c *Conn) print(network netip.Prefix) policy.Fingerprint { return c.printOf(c.session, network) }

func (c *Conn) printOf(s *Session, network netip.Prefix) policy.Fingerprint {
	return policy.Fingerprint{
		Platform: s.fingerprint.Platform, Build: s.fingerprint.Build,
		Certificate: c.channel.Thumbprint, HasCertificate: c.channel.HasCertificate,
		Channel: c.channel.Exporter, Network: network,
	}
}

// digest is the cheap first look at it.
func (c *Conn) digest(network netip.Prefix) uint64 {
	f := c.print(network)
	return f.Digest(c.gate.seed)
}

// bind ties the session to what is seen now, which ends a step up.
func (c *Conn) bind() {
	c.bound = c.digest(c.path)
	c.seen = c.bound
	if d := c.doubt; d != nil {
		d.home, d.step = netip.Prefix{}, nil
		if d.tell == EventStepUp {
			d.tell = EventNone
		}
	}
}

// home returns the network that the session is bound to.
func (c *Conn) home() netip.Prefix {
	if c.seen == c.bound {
		return c.path
	}
	return c.doubt.home
}

// Away reports whether datagrams come from another network than the one that the session is bound to. It belongs to the
// receiving half.
func (c *Conn) Away() bool { return c.session != nil && c.seen != c.bound }

// Follows reports whether the session may move to an address: to any, unless policy requires the network to stay the
// same, or a step up of this session has lapsed. It belongs to the receiving half.
func (c *Conn) Follows(addr netip.Addr) bool {
	config := &c.gate.config.Fingerprint
	return !c.confined && config.Network != policy.ActionRequire || config.Prefix(addr) == c.home()
}

// SetPath tells the machine from which proven address datagrams come now.
func (c *Conn) SetPath(now time.Time, addr netip.Addr) {
	away, previous := c.seen != c.bound, c.path
	c.path = c.gate.config.Fingerprint.Prefix(addr)
	c.seen = c.digest(c.path)
	switch {
	case away && c.seen == c.bound:
		c.doubt.home = netip.Prefix{}
		if s := c.owedForNetwork(); s != nil {
			s.enterHome(now)
		}
	case !away && c.seen != c.bound:
		c.leave(previous)
		if s := c.owedForNetwork(); s != nil {
			s.leaveHome(now)
		}
	}
}

// leave notes where home is.
func (c *Conn) leave(home netip.Prefix) {
	if c.doubt == nil {
		c.doubt = new(doubt)
	}
	c.doubt.home = home
}

// owes reports whether a step up waits for its token.
func (c *Conn) owes() bool { return c.doubt != nil && c.doubt.step != nil }

// owedForNetwork returns the step up that a change of network has led to, or nil.
func (c *Conn) owedForNetwork() *stepUp {
	if c.doubt == nil || c.doubt.part != policy.PartNetwork {
		return nil
	}
	return c.doubt.step
}

// strayed is the second half of step 9, for a fingerprint that has changed.
func (c *Conn) strayed(now time.Time) audit.Drop {
	if c.owes() {
		s := c.doubt.step
		if s.advance(now); s.left > 0 {
			return audit.DropNone
		}
		return audit.DropFingerprint
	}
	bound, seen := c.print(netip.Prefix{}), c.print(c.path) // of one connection, nothing else changes
	action, part := c.gate.config.Fingerprint.Judge(&bound, &seen)
	if action == policy.ActionRequire || c.confined {
		return audit.DropFingerprint
	}
	c.depart(now, action, part)
	return audit.DropNone
}

// depart takes note of a difference that does not end the session at once.
func (c *Conn) depart(now time.Time, action policy.Action, part policy.Part) {
	switch action {
	case policy.ActionStepUp:
		if c.doubt == nil {
			c.doubt = new(doubt)
		}
		c.doubt.tell, c.doubt.part = EventStepUp, part
		c.doubt.step = newStepUp(now, c.gate.config.Fingerprint.StepUpTime)
	case policy.ActionNote:
		c.bind()
		c.note(part)
	}
}

// note has the next Tick tell of something that ends nothing.
func (c *Conn) note(part policy.Part) {
	if c.doubt == nil {
		c.doubt = new(doubt)
	}
	d := c.doubt
	d.flagged = true
	if d.tell == EventNone && d.step == nil {
		d.tell, d.part = EventFlagged, part
	}
}

// doubts is a Tick's part in it: what has not been told is told, and a step up takes its course.
func (c *Conn) doubts(now time.Time) (Reply, Event) {
	d := c.doubt
	ev := Event{Kind: d.tell, Part: d.part}
	d.tell = EventNone
	if d.step == nil {
		return Reply{}, ev
	}
	return c.stepUpTick(now, ev)
}

// agrees compares what a token claims with what the client stated and showed: a
// token may leave any of it open.
func (c *Conn) agrees(claims *token.Claims, f session.Fingerprint) (policy.Action, policy.Part) {
	stated := policy.Fingerprint{
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
	return c.gate.config.Fingerprint.Judge(&claimed, &stated)
}
