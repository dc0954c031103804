package transport

import (
	"errors"
	"net"
)

// Rebind moves the client to another socket, which it then owns: on a phone, one on the network
// that is now available. The old socket is closed. The server finds the session by its connection
// id, and moves it once the new path is validated. After the end of the session Rebind closes conn
// and returns the session's error.
func (c *Client) Rebind(conn net.PacketConn) error {
	c.mu.Lock()
	if err := c.progress.over(); err != nil {
		defer c.mu.Unlock()
		return errors.Join(err, conn.Close())
	}
	old := c.socket.replace(conn)
	c.socket.interrupt()
	if m := c.state.conns.current.machine; m != nil {
		m.Ask()
		c.state.lanes.moved()
		c.tick(c.now())
	}
	c.mu.Unlock()
	return old.Close()
}
