package handshake

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/sallyport/sallyport/internal/record"
)

// Groups of RFC 8422 that an engine agrees on keys in, the cheapest for a server first.
const (
	P256   = 23
	X25519 = 29
	P384   = 24
)

// greeting is a server's part of a handshake until the cookie has come back. An engine needs
// complete ClientHellos; it receives
//
//	message 0   written by the greeting from the beginning of the client's, so that its first fragment will do: it is
//	            in no transcript (RFC 6347 4.2.6), and names the suite and the group that the server has chosen
//	message 1   the client's own with the engine's cookie in it, byte by byte, assembled and checked
//
// Conn.mu guards it.
type greeting struct {
	count    int    // datagrams that have been examined for the engine
	first    *offer // the client's first; nil before
	accepted bool   // Accept has been called
	suite    record.Suite
	group    uint16
	common   bool   // the suite is one that the client has offered
	header   []byte // of the record that the last message 0 came in
	message0 []byte
	cookie   []byte // the engine's; nil before it has asked for it
	assembly assembly
	returned []byte // the header of the record in which the first fragment with the cookie came
	unlike   bool   // the ClientHello with the cookie names signature algorithms, and none of ours
}

// Accept waits for the ClientHello of a server's handshake and returns the suite, of suites in
// order of preference, and the group that the engine must choose. If the client offers none of them
// it is told so once it has returned the cookie. The error is that of ctx, or ErrFailed when the
// Conn has been closed.
func (c *Conn) Accept(ctx context.Context, suites []record.Suite) (suite record.Suite, group uint16, err error) {
	defer context.AfterFunc(ctx, c.rouse)()
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &c.greeting
	for g.first == nil {
		switch {
		case ctx.Err() != nil:
			return 0, 0, ctx.Err()
		case c.closed:
			return 0, 0, ErrFailed
		}
		c.wake.Wait()
	}
	g.accept(suites)
	c.ask(g.record0())
	return g.suite, g.group, nil
}

// ask has the engine ask for the cookie, as long as the budget lasts. The caller holds mu.
func (c *Conn) ask(record0 []byte) {
	if len(record0) <= c.filter.budget {
		c.filter.budget -= len(record0)
		c.pass(record0)
	}
}

// accept chooses suite and group, and writes the engine's message 0.
func (g *greeting) accept(suites []record.Suite) {
	g.suite, g.group, g.accepted = suites[0], P256, true
	for _, s := range suites {
		if offers(g.first.suites, uint16(s)) {
			g.suite, g.common = s, true
			break
		}
	}
	for _, group := range []uint16{P256, X25519, P384} {
		if offers(g.first.groups, group) {
			g.group = group
			break
		}
	}
	choices := g.first.choices
	if !g.common { // the engine would end before there is a cookie
		choices = binary.BigEndian.AppendUint16(nil, uint16(len(g.first.suites)+2))
		choices = binary.BigEndian.AppendUint16(append(choices, g.first.suites...), uint16(g.suite))
		choices = append(choices, g.first.choices[2+len(g.first.suites):]...)
	}
	extensions := []byte{0, 12, 0, extGroups, 0, 4, 0, 2, byte(g.group >> 8), byte(g.group), 0, extMasterSecret, 0, 0}
	g.message0 = appendMessage(nil, clientHello, 0, slices.Concat(g.first.head, []byte{0}, choices, extensions))
}

// record0 is message 0 in the record that the client's came in: the engine counts records.
func (g *greeting) record0() []byte { return appendRecord(nil, g.header, g.message0) }

// hear takes one fragment of a ClientHello. It returns the record that the engine may read because
// of it, whether the fragment was of use, and why the handshake has failed.
func (g *greeting) hear(header []byte, m message) (rec []byte, used bool, failed error) {
	switch m.seq {
	case 0:
		rec, used = g.again(header, m)
	case 1:
		return g.second(header, m)
	}
	return rec, used, nil
}

// again is the first ClientHello, or a repetition of it.
func (g *greeting) again(header []byte, m message) (rec []byte, used bool) {
	if m.from != 0 {
		return nil, g.first != nil // the rest of a ClientHello that has been answered
	}
	o, ok := readOffer(m.body, m.length)
	if !ok || g.count >= MaxHellos || g.first != nil && !sameHello(o, *g.first) {
		return nil, false
	}
	g.count++
	g.header = append(g.header[:0], header...)
	if g.first == nil {
		o = o.clone()
		g.first = &o
	}
	if g.accepted {
		rec = g.record0()
	}
	return rec, true
}

// second takes the ClientHello with the cookie. While it arrives in fragments, an attacker who
// spoofs its sender's address can add one: then the first fragment, when it is repeated, starts
// over.
func (g *greeting) second(header []byte, m message) (rec []byte, used bool, failed error) {
	if g.cookie == nil || m.length > MaxHello {
		return nil, false, nil
	}
	if first := m.from == 0 && subtle.ConstantTimeCompare(cookieOf(m.body), g.cookie) == 1; first && m.to == m.length {
		return g.judge(header, m.body)
	} else if first && (!g.assembly.begun() || g.assembly.disputed) {
		g.assembly.begin(m.length)
		g.returned = slices.Clone(header)
	}
	if !g.assembly.begun() || !g.follows(header) || !g.assembly.add(m) {
		return nil, false, nil
	}
	whole, ok := g.assembly.take()
	if !ok {
		return nil, true, nil
	}
	if rec, _, failed = g.judge(g.returned, whole); errors.Is(failed, ErrHello) {
		return nil, false, nil // perhaps not the client's
	}
	return rec, true, failed
}

// follows reports whether a fragment came in a record whose number goes with that of the first one.
func (g *greeting) follows(header []byte) bool {
	first, _ := record.ParseHeader(g.returned)
	h, _ := record.ParseHeader(header)
	return numbers{first.Seq, true}.has(h.Seq)
}

// judge looks at the ClientHello with the cookie, all of it.
func (g *greeting) judge(header, body []byte) (rec []byte, used bool, failed error) {
	o, ok := readOffer(body, len(body))
	g.unlike = ok && o.signatures != nil && !offers(o.signatures, ecdsaSHA256) && !offers(o.signatures, rsaSHA256)
	switch {
	case !ok || !sameHello(o, *g.first):
		return nil, true, ErrHello
	case !g.common:
		return nil, true, ErrSuite
	case !o.masterSecret:
		return nil, true, ErrMasterSecret
	case o.named && !offers(o.groups, g.group):
		return nil, true, ErrGroup
	}
	return appendRecord(nil, header, appendMessage(nil, clientHello, 1, body)), true, nil
}

// cookieOf is the cookie of a ClientHello, or of its beginning; nil if it is not there.
func cookieOf(b []byte) []byte {
	in := reader(b)
	if !in.skip(2 + 32) {
		return nil
	}
	if _, ok := in.vector8(); !ok {
		return nil
	}
	cookie, _ := in.vector8()
	return cookie
}

// appendMessage appends a handshake message that is whole.
func appendMessage(dst []byte, typ byte, seq uint16, body []byte) []byte {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(body)))[1:]
	dst = append(append(dst, typ), length...)
	dst = append(binary.BigEndian.AppendUint16(dst, seq), 0, 0, 0)
	return append(append(dst, length...), body...)
}

// appendRecord appends a record with another body than the one that its header came with.
func appendRecord(dst, header, body []byte) []byte {
	dst = append(dst, header[:record.HeaderLen-2]...)
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(body))), body...)
}
