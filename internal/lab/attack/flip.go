package attack

import (
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// flipFingerprint has other clients than the token or the session is bound to. Only a server in this process mints
// tokens for a certificate.
func flipFingerprint(certificates bool) []scene {
	const refused, ignored = "refused, fingerprint changed", "no next epoch; the session goes on with the token it has"
	hello := func(what string, f session.Fingerprint) scene {
		return scene{"HELLO " + what, refused, func(s *stage) error { return s.hello(f, s.grant()) }}
	}
	renew := func(what string, change func(*token.Grant), drop string) scene {
		return scene{"RENEW by a token of another " + what, ignored, func(s *stage) error { return s.renewal(change, drop) }}
	}
	scenes := []scene{
		hello("of another platform than the token names", session.Fingerprint{Platform: "flipped", Build: honest.Build}),
		hello("of another build than the token names", session.Fingerprint{Platform: honest.Platform, Build: "flipped"}),
		hello("that leaves out platform and build, which the token names", session.Fingerprint{}),
		renew("platform", func(g *token.Grant) { g.Platform = "flipped" }, "fingerprint"),
		renew("build", func(g *token.Grant) { g.Build = "flipped" }, "fingerprint"),
		renew("player", func(g *token.Grant) { g.Subject += "-victim" }, "token"),
		renew("match", func(g *token.Grant) { g.Scope = "flipped" }, "scope"),
	}
	if certificates {
		bound := func(g *token.Grant) { g.Thumbprint = new([32]byte) }
		scenes = append(scenes, renew("certificate", bound, "fingerprint"), scene{
			"HELLO without the certificate that the token names", refused, func(s *stage) error {
				g := s.grant()
				bound(&g)
				return s.hello(honest, g)
			},
		})
	}
	return scenes
}

// "Platform, build and client certificate are those that the token names where it names them." PROTOCOL.md 5.1
func (s *stage) hello(f session.Fingerprint, g token.Grant) error {
	identity, err := s.target.Mint(s.ctx, g)
	if err != nil {
		return err
	}
	p, err := s.enter(nil, f, identity)
	s.refused(p, err, session.ReasonFingerprint)
	s.dropped("fingerprint", 1)
	s.audited("reject fingerprint", 1)
	return nil
}

// "A RENEW that is refused gets no answer and ends nothing." PROTOCOL.md 5.3
func (s *stage) renewal(change func(*token.Grant), drop string) error {
	g := s.grant()
	p, _, err := s.joinAs(g)
	if err != nil {
		return err
	}
	change(&g)
	identity, err := s.target.Mint(s.ctx, g)
	if err == nil {
		err = p.renew(identity)
	}
	if err != nil {
		return err
	}
	s.dropped(drop, 1)
	s.audited("reject "+drop, 1)
	s.audited("renew", 0)
	s.playsOn("the session", p, 0, copies)
	return nil
}
