package transport

import (
	"errors"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// Rebind has the client go on from another socket, which it then owns: on a phone,
// one of the network that is there now. The old one is closed. The server finds the
// session by its hint, and moves it once the new path is proven. After the end of the
// session conn is closed, and the error is the session's.
func (c *Client) Rebind(conn net.PacketConn) error {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return errors.Join(c.err, conn.Close())
	}
	socket := udp.NewConn(conn)
	old := c.socket.Swap(&socket)
	if c.line.session != nil {
		c.line.session.Ask()
		c.tick(time.Now())
	}
	c.mu.Unlock()
	return old.Close()
}
