package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/udp"
)

// carrier takes one connection's datagrams where the network blocks UDP. ClientConfig.Fallback
// has made it. Its methods are safe for concurrent use, and those of nil do nothing.
type carrier struct {
	client *Client        // constant
	conn   udp.Conn       // constant
	remote netip.AddrPort // of the server; constant
	server string         // for which it was asked; constant
	gone   atomic.Bool    // it brings nothing any more
	ended  chan struct{}  // closed by end
	once   sync.Once
}

// end has the carrier closed soon.
func (k *carrier) end() {
	if k != nil {
		k.once.Do(func() { close(k.ended) })
	}
}

// write sends a datagram and reports whether the carrier took it.
func (k *carrier) write(b []byte) bool {
	k.client.socket.sent.Add(uint64(len(b)))
	return k.conn.Write(b, k.remote) == nil
}

// errCarrier is why what Fallback has returned is of no use.
var errCarrier = errors.New("transport: ClientConfig.Fallback must return a carrier and an address with an IP address and a port")

// openCarrier asks ClientConfig.Fallback for a carrier to a server, and has it read.
func (c *Client) openCarrier(ctx context.Context, server string) (*carrier, error) {
	conn, addr, err := c.config.Fallback(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("transport: the fallback of UDP: %w", err)
	}
	k := &carrier{client: c, server: server, ended: make(chan struct{})}
	if addr != nil {
		k.remote = udp.AddrPort(addr)
	}
	if conn == nil || !k.remote.IsValid() {
		if conn != nil {
			err = conn.Close()
		}
		return nil, errors.Join(errCarrier, err)
	}
	k.conn = udp.NewConn(conn)
	c.background.Go(k.read)
	c.background.Go(func() {
		<-k.ended
		_ = conn.Close() // and read returns
	})
	return k, nil
}

// read handles what the carrier brings, until that fails.
func (k *carrier) read() {
	for b := make([]byte, udp.BufferLen); ; {
		n, from, err := k.conn.Read(b)
		if err != nil {
			break
		}
		k.brought(from, b[:n])
	}
	k.gone.Store(true)
	k.end()
	c := k.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); c.progress.over() == nil {
		c.state.carrierGone(now, k)
		if !c.socket.polled {
			c.tick(now)
		}
	}
}

// brought handles a datagram of the carrier's. What is due besides is left to Poll, if that has
// been called.
func (k *carrier) brought(from netip.AddrPort, b []byte) {
	c := k.client
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.progress.finished(now) {
		return
	}
	c.state.reports.carried++
	c.state.arrive(now, k, from, b)
	if !c.socket.polled {
		c.tick(now)
	}
}

// endCarriers ends all carriers: the session is over, and its last word said.
func (c *Client) endCarriers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range [...]*clientConn{c.state.conns.current, c.state.conns.next, c.state.conns.former} {
		if conn != nil {
			conn.carrier.end()
		}
	}
	c.state.fallback.discard()
}
