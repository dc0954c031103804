package attack

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

func onLanes() []scene {
	return []scene{
		{"malformed frames, and frames that their lane does not have", "dropped as malformed; nothing else", malformedFrames},
		{"a message beyond the credit", "revoked", func(s *stage) error {
			var frames []wire.Frame
			for id := range uint64(laneCredit + 1) {
				frames = append(frames, begun(arena.LaneLevel, id+1, arena.LevelLen))
			}
			return s.overrun(frames)
		}},
		{"an id from the far future", "revoked", func(s *stage) error {
			return s.overrun([]wire.Frame{message(arena.LanePickups, 1<<61, 1)})
		}},
		{"what was never sent is acknowledged, three times", "revoked", lies},
		{"half messages and gaps on every lane", "the player lives", halfMessages},
	}
}

// message is a frame with a whole message of n bytes, begun one with the first part of a longer
// one.
func message(lane uint8, id uint64, n int) wire.Frame {
	return wire.Frame{Type: wire.FrameWhole, Lane: lane, ID: id, Total: uint32(n), Data: make([]byte, n)}
}

func begun(lane uint8, id uint64, total int) wire.Frame {
	return wire.Frame{
		Type: wire.FrameFragment, Lane: lane, ID: id, Total: uint32(total), Data: make([]byte, wire.FragmentLen(total, 0)),
	}
}

// frames sends a body of FRAMES, whatever is in it.
func (p *raw) frames(body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say(wire.KindFrames, body)
}

// laned lets an attacker in whose session has lanes.
func (s *stage) laned() (*raw, error) {
	g := s.grant()
	identity, err := s.target.Mint(s.ctx, g)
	if err != nil {
		return nil, err
	}
	return s.enterAs(nil, session.ClientConfig{Fingerprint: honest, Scope: scope, Lanes: true}, identity)
}

// "A malformed body MUST NOT have any effect" PROTOCOL.md 16.3
func malformedFrames(s *stage) error {
	p, err := s.laned()
	if err != nil {
		return err
	}
	news, view, scores := message(arena.LaneNews, 1, 5), message(arena.LaneView, 1, 5), message(arena.LaneScores, 1, 5)
	missing, none := message(arena.NumLanes, 1, 5), message(arena.LaneNews, 0, 5)
	long := begun(arena.LaneLevel, 1, arena.LevelLen+1)
	credit := wire.Frame{Type: wire.FrameCredit, Lane: arena.LaneView, Bytes: 1}
	good := news.AppendTo(nil)
	bodies := [][]byte{
		{},
		{0},
		{0xf0, 1},                            // an unknown type
		{0x20, 0x40, 1, 0},                   // a number in a longer form
		good[:len(good)-1],                   // cut
		append(slices.Clone(good), 0),        // trailing bytes
		missing.AppendTo(nil),                // a lane that does not exist
		none.AppendTo(nil),                   // ids begin at 1
		long.AppendTo(nil),                   // longer than the lane's longest
		scores.AppendTo(nil),                 // a lane for values
		credit.AppendTo(nil),                 // a lane without credit
		missing.AppendTo(view.AppendTo(nil)), // behind one that is good
	}
	for _, b := range bodies {
		p.frames(b)
	}
	s.dropped("malformed", uint64(len(bodies)))
	s.playsOn("the player", p, 0, copies)
	return nil
}

// "A receiver that gets one has no honest peer: a server revokes the session" PROTOCOL.md 16.6
func (s *stage) overrun(frames []wire.Frame) error {
	p, err := s.laned()
	if err != nil {
		return err
	}
	for _, f := range frames {
		p.frames(f.AppendTo(nil))
	}
	s.out(p)
	return nil
}

// out expects a session to be revoked for what it has done on its lanes.
func (s *stage) out(p *raw) {
	await(func() bool { return !p.lives() })
	s.saw(p.reason() == session.ReasonRevoked, "%v", p.reason())
	s.dropped("lanes", 1)
	s.audited("revoke lanes", 1)
}

// "A server drops the datagram as `lanes`, and the third number MUST revoke the session"
// PROTOCOL.md 16.10
func lies(s *stage) error {
	p, err := s.laned()
	if err != nil {
		return err
	}
	for i := range uint64(3) {
		never := uint64(neverSent) + i
		body, _ := wire.AppendAck(nil, []wire.Range{{Low: never, High: never}}, 0, wire.MaxBody)
		p.frames(body)
	}
	s.out(p)
	s.audited("reject lanes", 2)
	return nil
}

// halfMessages leaves on every lane what the server can do nothing with yet, as much as it takes:
// parts of messages, and messages behind one that does not come.
func halfMessages(s *stage) error {
	p, err := s.laned()
	if err != nil {
		return err
	}
	for id := range uint64(laneCredit) {
		f := begun(arena.LaneLevel, id+1, arena.LevelLen)
		p.frames(f.AppendTo(nil))
	}
	ticker := time.NewTicker(time.Second / halvesRate)
	defer ticker.Stop()
	for id := uint64(2); id < 2+halves; id++ { // the first one does not come
		<-ticker.C
		gap, view := message(arena.LaneNews, id, 500), begun(arena.LaneView, id, arena.MaxView)
		spark := message(arena.LaneSparks, id, 1)
		value := wire.Frame{Type: wire.FrameLatest, Lane: arena.LaneScores, Key: uint32(id), ID: id, Data: make([]byte, 100)}
		p.frames(spark.AppendTo(gap.AppendTo(nil)))
		p.frames(value.AppendTo(nil))
		p.frames(view.AppendTo(nil))
	}
	s.saw(s.drops()["lanes"] == 0, "%d begun on each lane", halves)
	s.playsOn("the player", p, 0, copies)
	return nil
}
