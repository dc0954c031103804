package handshake

import (
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// Before there are keys, nothing authenticates an alert from the peer. So an alert ends nothing by
// itself: it only suggests why nothing else comes, and if that lasts for AlertPatience the
// handshake ends with it. One whose record number is not the handshake's, as that of a server that has
// not understood the ClientHello may be, suggests a cause and no more.

// noteAlert records the alerts of a datagram; heard reports whether the peer has gone on with the
// handshake in it. The caller holds mu.
func (c *Conn) noteAlert(datagram []byte, heard bool) {
	if heard {
		c.clearAlert()
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
		near := c.filter.numbers.has(h.Seq)
		if near || c.patience == nil {
			c.alert = AlertError(body[1])
		}
		if near && c.patience == nil {
			c.patience = time.AfterFunc(AlertPatience, c.giveUp)
		}
	}
}

// clearAlert undoes noteAlert. The caller holds mu.
func (c *Conn) clearAlert() {
	if c.patience != nil {
		c.patience.Stop()
		c.patience = nil
	}
}

// giveUp ends a handshake in which nothing has followed an alert.
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

// refuse ends a server's handshake and sends an alert to the client, which has returned the cookie.
// Whatever the engine still writes is discarded.
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
