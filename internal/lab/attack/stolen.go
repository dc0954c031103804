package attack

import (
	"encoding/binary"

	"github.com/sallyport/sallyport/session"
)

func stolenToken() []scene {
	return []scene{
		{"a player's identity token, by another client", "refused, token already used; the owner plays on", func(s *stage) error {
			return s.steal(honest)
		}},
		{"the same, by a client that states another platform", "refused, token already used; the owner plays on", func(s *stage) error {
			return s.steal(session.Fingerprint{Platform: "stolen", Build: "stolen"})
		}},
		{"a player's envelope, in one's own connection", "dropped as session; the owner can still send it", stolenEnvelope},
		{"the same, with one's own session id", "dropped as tag; nobody is hurt", renamedEnvelope},
	}
}

// "it refuses the same token on another connection with CLOSE reason 10." PROTOCOL.md 5.2. The
// token leaves platform and build open, so that nothing but its use stands in the thief's way.
func (s *stage) steal(thief session.Fingerprint) error {
	g := s.grant()
	g.Platform, g.Build = "", ""
	owner, identity, err := s.joinAs(g)
	if err != nil {
		return err
	}
	p, err := s.enter(nil, thief, identity)
	s.refused(p, err, session.ReasonUsed)
	s.dropped("used", 1)
	s.audited("reject used", 1)
	s.playsOn("the owner", owner, 0, copies)
	return nil
}

// "The session id is this connection's; else drop session." PROTOCOL.md 4.4
func stolenEnvelope(s *stage) error {
	owner, thief, err := s.two()
	if err != nil {
		return err
	}
	stolen := owner.envelope()
	thief.write(thief.seal(stolen))
	s.dropped("session", 1)
	owner.write(owner.seal(stolen))
	s.playsOn("the owner", owner, 1, copies)
	s.playsOn("the thief", thief, 0, copies)
	return nil
}

// "The tag is the one that the epoch's datagram key gives": that of another session is a wrong one. PROTOCOL.md 4.8
func renamedEnvelope(s *stage) error {
	owner, thief, err := s.two()
	if err != nil {
		return err
	}
	stolen := owner.envelope()
	binary.BigEndian.PutUint32(stolen[2:], thief.id())
	thief.write(thief.seal(stolen))
	s.dropped("tag", 1)
	s.playsOn("the owner", owner, 0, copies)
	s.playsOn("the thief", thief, 0, copies)
	return nil
}

func (s *stage) two() (a, b *raw, err error) {
	if a, err = s.join(); err == nil {
		b, err = s.join()
	}
	return a, b, err
}
