package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Save writes the session into r, so that another process can continue it. It reports false for a
// session that is not handed over: one that is revoked, whose client has not answered WELCOME yet,
// or that carries the identity token in every datagram. The caller owns both halves, and must not
// send or receive afterwards. The windows in r are the Conn's own. The state of its lanes, if r.Lanes
// is not nil, is the caller's to add.
func (c *Conn) Save(r *resume.Session) bool {
	if c.state != live || c.session.Revoked() || c.bearer || c.answer != nil && c.answer.reply.Kind == wire.KindWelcome {
		return false
	}
	s := c.session
	r.ID, r.Name, r.ConnectionID = s.id, s.name, c.connectionID
	r.Binding, r.Reports, r.Thumbprint, r.HasCertificate = c.binding, c.reports, c.channel.Thumbprint, c.channel.HasCertificate
	if c.binding == wire.BindingExporter {
		r.Exporter = c.channel.Exporter
	}
	r.Network, r.Confined = c.boundNetwork(), c.confined
	if c.owes() {
		r.StepUp = uint8(c.doubt.part)
	}
	r.Bound = s.bound
	r.Platform, r.Build = s.fingerprint.Platform, s.fingerprint.Build
	r.Issuer, r.Subject, r.Scope = s.issuer, s.subject, s.scope
	r.Sequence, r.Accepted, r.Window = c.sequence, c.accepted, &c.window
	r.Standing = standing(s.names.Load(), s.Expires())
	if ends := (s.ends.Load() + s.gate.steps.ahead.Load()) / int64(time.Millisecond); ends != r.Standing.Expires {
		r.Ends = ends
	}
	r.Epoch, r.In, r.Out = c.current.number, c.current.in.key, c.current.out.key
	r.Lanes = c.saveLanes()
	return c.next == nil || c.saveNext(r)
}

// saveNext adds the epoch that has been derived and not been used yet.
func (c *Conn) saveNext(r *resume.Session) bool {
	m, err := wire.ParseRenewed(c.answer.reply.Body)
	claims := c.pending.claims
	r.Next = &resume.NextEpoch{Digest: c.answer.digest, Secret: m.Secret, Standing: standing(namesOf(claims, c.pending.identity), claims.Expires)}
	return err == nil
}

func standing(n *names, expires time.Time) resume.Standing {
	return resume.Standing{Expires: expires.UnixMilli(), Issued: n.issued, TokenID: n.token, SignIn: n.signIn, KeyID: n.key, Identity: identity.Bytes(identity.Part(n.about(), resume.MaxIdentity))}
}

// savedIdentity returns what a snapshot holds of an identity.
func savedIdentity(of *resume.Standing) identity.Identity {
	id, _ := identity.Parse(of.Identity)
	return id
}

// Restore initializes a zero Conn with a session that another process has saved, or returns why it
// does not. It does not keep r. The Conn must not be copied afterwards.
func (c *Conn) Restore(g *Gate, now time.Time, r *resume.Session) Cause {
	ch := Channel{Exporter: r.Exporter, Thumbprint: r.Thumbprint, HasCertificate: r.HasCertificate}
	c.Init(g, now, ch, r.Addr.Addr())
	s := &c.own
	claims := savedClaims(r, &r.Standing)
	s.init(g, claims, savedIdentity(&r.Standing), session.Fingerprint{Platform: r.Platform, Build: r.Build})
	s.id, s.name = r.ID, r.Name
	s.bound, s.began = r.Bound, uint32(now.Unix())
	s.connectionID.Store(r.ConnectionID)
	if r.Ends != 0 {
		s.ends.Store(r.Ends*int64(time.Millisecond) - g.steps.ahead.Load())
	}
	if r.Next != nil {
		s.outlive(now)
	}
	if drop := s.checkEnd(now); drop != audit.DropNone {
		return CauseExpired
	}
	agreed, ok := g.SavedLanes(r)
	if !ok {
		return CauseSessionLanes
	}
	if cause := g.restore(g.kept(now), claims, s, r.Epoch); cause != CauseNone {
		return cause
	}
	c.enter(live)
	c.session, c.connectionID, c.ticketed = s, r.ConnectionID, g.config.FleetKeys.Enabled()
	c.id, c.binding, c.reports = r.ID, r.Binding, r.Reports
	c.window, c.sequence, c.accepted = r.Window.Clone(), r.Sequence, r.Accepted
	c.lanes, c.laned = agreed, agreed != nil
	c.first.number = r.Epoch
	c.first.in.init(r.In[:])
	c.first.out.init(r.Out[:])
	c.current = &c.first
	c.sending.Store(c.current)
	c.behaviour.Start(g.limits, now.Add(-restoreTime)) // datagrams of the meantime are not read yet
	c.confined = r.Confined
	c.boundDigest, c.seenDigest = c.digest(r.Network), c.digest(c.path)
	if c.Away() {
		c.setHome(r.Network)
	}
	if r.StepUp != 0 {
		c.startDoubt(now, policy.ActionStepUp, fingerprint.Part(r.StepUp))
		if s := c.owedForNetwork(); s != nil && !c.Away() {
			s.enterHome(now)
		}
	}
	if r.Next != nil {
		c.restoreNext(now, r)
	}
	return CauseNone
}

// restoreNext derives the next epoch again, and the same RENEWED except for its ticket and its time.
func (c *Conn) restoreNext(now time.Time, r *resume.Session) {
	claims := savedClaims(r, &r.Next.Standing)
	m := wire.Renewed{Epoch: r.Epoch + 1, Secret: r.Next.Secret, Expiry: r.Next.Standing.Expires, ServerTime: c.gate.wall(now).UnixMilli()}
	next, err := c.keyContext().newEpoch(&m.Secret, m.Epoch, false)
	if err != nil {
		return
	}
	id := savedIdentity(&r.Next.Standing)
	m.Ticket = c.ticket(&m.Secret, m.Epoch, namesOf(claims, id), claims.Expires.UnixNano(), r.Network)
	c.next, c.pending = next, &pending{kind: wire.KindRenew, digest: r.Next.Digest, claims: claims, identity: id}
	c.answer = &answer{r.Next.Digest, Reply{Kind: wire.KindRenewed, Body: m.AppendTo(nil)}}
	clear(m.Secret[:])
}

// savedClaims returns what a snapshot holds of the claims of an identity token.
func savedClaims(r *resume.Session, of *resume.Standing) *token.Claims {
	return claimsOf(&resume.Ticket{
		Issuer: r.Issuer, Subject: r.Subject, Scope: r.Scope,
		TokenID: of.TokenID, SignIn: of.SignIn, KeyID: of.KeyID, Expires: of.Expires, Issued: of.Issued,
	})
}

// restore admits a session from another process, under the id that its client knows. It stands in an
// epoch: if that one's ticket has been used, its player is on another server.
func (g *Gate) restore(now time.Time, claims *token.Claims, s *Session, epoch uint32) Cause {
	g.mu.Lock()
	defer g.mu.Unlock()
	if cause := g.checkRevoked(now, claims, s.fingerprint.Build); cause != CauseNone {
		return cause
	}
	if cause := g.ticketsRefused(now, s.name); cause != CauseNone {
		return cause // it ended after it was saved
	}
	switch {
	case epoch <= g.spent(s.name):
		return CauseElsewhere
	case len(g.sessions) >= g.seats():
		return CauseFull
	case g.sessions[s.id] != nil, g.findByName(s.name) != nil:
		return CauseSession
	}
	g.insert(s)
	g.remember(s, s.Expires())
	return CauseNone
}
