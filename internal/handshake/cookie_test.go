package handshake

import (
	"slices"
	"testing"
)

// "what a handshake that was given up has left on the way ... would mislead the engine": before the server asks for
// the cookie a client that expects it hears nothing else.
func TestExpectCookie(t *testing.T) {
	hello, verify := rec(22, 0, 0, msg(serverHello, 1, 70)), rec(22, 0, 1, msg(helloVerify, 0, 23))
	c, _ := newConn(false)
	c.ExpectCookie()
	setNumber(hello, c.numbering.first)
	setNumber(verify, c.numbering.first)
	deliver(t, c, hello, Refused)
	deliver(t, c, slices.Concat(hello, verify), Taken)
	deliver(t, c, hello, Taken)
	reads(t, c, verify, hello)
	c, _ = newConn(false) // for a server that may do without
	deliver(t, c, hello, Taken)
	reads(t, c, hello)
}
