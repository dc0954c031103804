package session

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/wire"
)

// doubt is what is not as it should be with a session that goes on.
type doubt struct {
	tell   EventKind   // EventStepUp or EventFlagged, told by the next Tick; EventNone once told
	part   policy.Part // of the fingerprint
	until  time.Time   // a step up must be done by then; zero without
	notice time.Time   // when the last NOTICE was sent

	silent time.Time     // since when the player is or was, when the time stood still; zero if it has not yet
	left   time.Duration // of the time then
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
	if c.owes() {
		c.doubt = nil
	}
}

// owes says whether a step up waits for its token.
func (c *Conn) owes() bool { return c.doubt != nil && !c.doubt.until.IsZero() }

// strayed is the second half of step 9, for a fingerprint that has changed.
func (c *Conn) strayed(now time.Time) audit.Drop {
	if c.owes() {
		if now.Before(c.doubt.until) {
			return audit.DropNone
		}
		return audit.DropFingerprint
	}
	bound, seen := c.print(netip.Prefix{}), c.print(c.path) // of one connection, nothing else changes
	action, part := c.gate.config.Fingerprint.Judge(&bound, &seen)
	if action == policy.ActionRequire {
		return audit.DropFingerprint
	}
	c.depart(now, action, part)
	return audit.DropNone
}

// depart takes note of a difference that does not end the session at once.
func (c *Conn) depart(now time.Time, action policy.Action, part policy.Part) {
	switch action {
	case policy.ActionStepUp:
		c.doubt = &doubt{tell: EventStepUp, part: part, until: now.Add(c.gate.config.Fingerprint.StepUpTime)}
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
	if d := c.doubt; d.tell == EventNone {
		d.tell, d.part = EventFlagged, part
	}
}

// doubts is a Tick's part in it: what has not been told is told, and a NOTICE is
// repeated until it is obeyed or its time is over.
func (c *Conn) doubts(now time.Time) (Reply, Event) {
	d := c.doubt
	ev := Event{Kind: d.tell, Part: d.part}
	d.tell = EventNone
	if d.until.IsZero() {
		return Reply{}, ev
	}
	d.stand(now, c.since)
	if !now.Before(d.until) {
		return c.revoke(audit.DropFingerprint)
	}
	if now.Sub(d.notice) < noticeInterval {
		return Reply{}, ev
	}
	d.notice = now
	body := wire.NoticeBody{Code: wire.NoticeStepUp, Within: uint32(d.until.Sub(now).Milliseconds())}
	return Reply{Kind: wire.KindNotice, Body: body.AppendTo(nil)}, ev
}

// stand has the time stand still during the player's first silence that lasts: who loses the path with a change of
// network has had no NOTICE. What is accepted all the same is accepted within the time.
func (d *doubt) stand(now, heard time.Time) {
	if d.silent.IsZero() && now.Sub(heard) >= silenceTime {
		d.silent, d.left = heard, d.until.Sub(heard)
	}
	if d.silent.Equal(heard) {
		d.until = now.Add(d.left)
	}
}

// agrees compares what a token claims with what the client stated and showed: a
// token may leave any of it open.
func (c *Conn) agrees(claims *token.Claims, f Fingerprint) (policy.Action, policy.Part) {
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
