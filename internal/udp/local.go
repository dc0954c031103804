package udp

import (
	"unique"

	"github.com/sallyport/sallyport/internal/addrtable"
)

// Flow is both addresses of a datagram. A host with several addresses answers a player from
// the one that the player has asked: from another one the answer would reach nobody. So a
// connection belongs to a flow wherever a socket listens on all addresses of the host and can
// tell them apart.
type Flow = addrtable.Flow

// localHandle is an address of this host, zero for the only one.
type localHandle = unique.Handle[addrtable.Local]

// flowConn is a net.PacketConn that can tell to which of the host's addresses a datagram
// has come, and send from it.
type flowConn interface {
	readFlow(b []byte) (int, Flow, error)
	writeFlow(b []byte, to Flow) error
}
