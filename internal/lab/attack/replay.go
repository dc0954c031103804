package attack

import "net"

func replay() []scene {
	return []scene{
		{"captured datagrams, from the same address", "dropped as record; nothing comes twice", replayHere},
		{"captured datagrams, from another address", "dropped as source; nothing comes twice", replayElsewhere},
		{"captured envelopes, sealed again by their own client", "dropped as replay; nothing comes twice", replaySealed},
		{"captured datagrams, after the player has come again", "dropped as record; nothing comes twice", func(s *stage) error {
			return s.replayLater("record", func(_ *raw, datagram, _ []byte) []byte { return datagram })
		}},
		{"captured envelopes, sealed for the new connection", "dropped as session; nothing comes twice", func(s *stage) error {
			return s.replayLater("session", func(p *raw, _, envelope []byte) []byte { return p.seal(envelope) })
		}},
	}
}

// "The record opens under the connection's key and is new in the record window; else drop record." PROTOCOL.md 4.2
func replayHere(s *stage) error {
	p, err := s.join()
	if err != nil {
		return err
	}
	_, captured := p.play(copies)
	p.write(captured...)
	s.dropped("record", copies)
	s.playsOn("the player", p, copies, copies)
	return nil
}

func replayElsewhere(s *stage) error {
	p, err := s.join()
	if err != nil {
		return err
	}
	_, captured := p.play(copies)
	// Among thousands of players a port of any is now and then that of one who has just gone.
	from := net.Dialer{LocalAddr: place(s.target.Addr)}
	other, err := from.Dial("udp", s.target.Addr)
	if err != nil {
		return err
	}
	defer other.Close() //nolint:errcheck // nothing is left to be done
	for _, b := range captured {
		_, _ = other.Write(b) // a lost datagram
	}
	s.dropped("source", copies)
	s.playsOn("the player", p, copies, copies)
	return nil
}

// "A number is new if it is above the window, or inside it and not yet accepted; else drop replay." PROTOCOL.md 4.7
func replaySealed(s *stage) error {
	p, err := s.join()
	if err != nil {
		return err
	}
	envelopes, _ := p.play(copies)
	for _, e := range envelopes {
		p.write(p.seal(e))
	}
	s.dropped("replay", copies)
	s.playsOn("the player", p, copies, copies)
	return nil
}

// replayLater captures on one connection and replays on the next one from the same address.
func (s *stage) replayLater(reason string, datagram func(p *raw, datagram, envelope []byte) []byte) error {
	identity, err := s.target.Mint(s.ctx, s.grant())
	if err != nil {
		return err
	}
	p, err := s.enter(place(s.target.Addr), honest, identity)
	if err != nil {
		return err
	}
	envelopes, captured := p.play(copies)
	if n, _ := p.delivered(); n != copies {
		s.saw(false, "%d of %d delivered before", n, copies)
	}
	address := p.socket.LocalAddr()
	p.vanish()
	if identity, err = s.target.Mint(s.ctx, s.grant()); err != nil {
		return err
	}
	again, err := s.enter(address, honest, identity)
	if err != nil {
		return err
	}
	for i := range captured {
		again.write(datagram(again, captured[i], envelopes[i]))
	}
	s.dropped(reason, copies)
	s.playsOn("the player", again, 0, copies)
	return nil
}
