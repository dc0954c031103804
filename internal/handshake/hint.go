package handshake

import (
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// Before there are keys anybody can send an alert in the peer's name. So it ends nothing by itself: it is a hint at why
// nothing else comes, and when that has lasted for AlertPatience the handshake ends with it.

// hint takes the alerts of a datagram; heard is whether the engine could use something of it. The caller holds mu.
func (c *Conn) hint(datagram []byte, heard bool) {
	if heard {
		c.calm()
	}
	for rest := datagram; ; {
		rec, more, ok := record.Next(rest)
		if !ok {
			return
		}
		rest = more
		h, _ := record.ParseHeader(rec)
		body := rec[record.HeaderLen:]
		if h.Type != record.Alert || h.Epoch != 0 || !known(h.Version) || len(body) != 2 || body[0] != alertFatal || body[1] == 0 {
			continue
		}
		c.alert = AlertError(body[1])
		if c.patience == nil {
			c.patience = time.AfterFunc(AlertPatience, c.giveUp)
		}
	}
}

// calm takes back what hint has begun. The caller holds mu.
func (c *Conn) calm() {
	if c.patience != nil {
		c.patience.Stop()
		c.patience = nil
	}
}

// giveUp ends a handshake after whose alert nothing has come.
func (c *Conn) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.patience != nil && !c.over && !c.closed {
		c.fail(c.alert)
	}
}

// fail closes the Conn because of cause. The caller holds mu.
func (c *Conn) fail(cause error) {
	c.cause = cause
	c.close()
}

// refuse ends a server's handshake, and tells the client, who has returned the cookie. What the engine still has to
// say is swallowed.
func (c *Conn) refuse(cause error) {
	c.mu.Lock()
	c.fail(cause)
	c.mu.Unlock()
	c.out.Lock()
	defer c.out.Unlock()
	if c.muted {
		return
	}
	c.muted = true
	alert := []byte{byte(record.Alert), 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, alertFatal, byte(alertFor(cause))}
	binary.BigEndian.PutUint64(alert[3:], c.next) // epoch 0
	c.send(alert)
}

// alertFatal is the level of an alert that ends a connection (RFC 5246 7.2).
const alertFatal = 2

// answer is what a client's Conn has seen of the server's flight.
type answer struct{ otherSuite, noMasterSecret, wantsCertificate bool }

// note looks at a message of it.
func (a *answer) note(m message) {
	switch {
	case m.typ == certificateRequest:
		a.wantsCertificate = true
	case m.typ == serverHello && m.from == 0 && m.to == m.length:
		a.hello(m.body)
	}
}

// hello reads a ServerHello: version 2 ‖ random 32 ‖ session_id <0..32> ‖ cipher_suite 2 ‖
// compression_method 1 ‖ extensions.
func (a *answer) hello(body []byte) {
	in := reader(body)
	if !in.skip(2 + 32) {
		return
	}
	if _, ok := in.vector8(); !ok || len(in) < 3 {
		return
	}
	switch record.Suite(binary.BigEndian.Uint16(in)) {
	case record.ECDSAWithAES128, record.ECDSAWithAES256, record.RSAWithAES128, record.RSAWithAES256:
	default:
		a.otherSuite = true
	}
	in.skip(3)
	extensions, _ := in.vector16()
	a.noMasterSecret = true
	for in := reader(extensions); len(in) >= 4; {
		typ := binary.BigEndian.Uint16(in)
		in.skip(2)
		if _, ok := in.vector16(); !ok {
			return
		}
		if typ == extMasterSecret {
			a.noMasterSecret = false
		}
	}
}

// cause is why no client goes on after such an answer, nil if it does.
func (a *answer) cause() error {
	switch {
	case a.otherSuite:
		return ErrSuite
	case a.noMasterSecret:
		return ErrMasterSecret
	}
	return nil
}
