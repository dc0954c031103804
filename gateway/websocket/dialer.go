package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

// Dialer makes a player's WebSockets. Its Fallback is a transport.ClientConfig.Fallback. It must not be
// changed once it is in use, and is safe for concurrent use.
type Dialer struct {
	// URL is where the server's WebSockets are: "wss://play.example.com/sallyport". Empty means
	// DefaultPath at port 443 of the host that was dialled, or of the one to which a server has sent
	// its players.
	URL string

	// TLS is for connections to the URL; nil means the system's authorities. It is no part of what
	// protects the session: that is checked inside, as by UDP.
	TLS *tls.Config

	// Proxy names the proxy for a request; nil means http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)

	// Header is sent with the request: a token for a proxy in front, for instance.
	Header http.Header
}

// Fallback connects to a server, and returns the connection and the server's address there. It is an
// error if the server is no Sallyport server, or takes no more connections.
func (d *Dialer) Fallback(ctx context.Context, server string) (net.PacketConn, net.Addr, error) {
	target := d.URL
	if target == "" {
		host, _, err := net.SplitHostPort(server)
		if err != nil {
			return nil, nil, fmt.Errorf("websocket: the server must be host:port: %w", err)
		}
		target = (&url.URL{Scheme: "wss", Host: net.JoinHostPort(host, "443"), Path: DefaultPath}).String()
	}
	proxy := d.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	config := d.TLS.Clone() // nil of nil
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.NextProtos = []string{"http/1.1"}
	dialer := websocket.Dialer{
		Proxy: proxy, TLSClientConfig: config, Subprotocols: []string{Subprotocol}, HandshakeTimeout: 2 * headerTime,
		ReadBufferSize: 2048, WriteBufferSize: 2048,
	}
	ws, answer, err := dialer.DialContext(ctx, target, d.Header)
	if err != nil {
		if answer != nil {
			err = fmt.Errorf("%w: %s", err, answer.Status)
		}
		return nil, nil, fmt.Errorf("websocket: %s: %w", target, err)
	}
	if ws.Subprotocol() != Subprotocol {
		ws.Close() //nolint:errcheck // the error says more
		return nil, nil, fmt.Errorf("websocket: what answers at %s does not speak %s", target, Subprotocol)
	}
	peer, err := netip.ParseAddrPort(ws.RemoteAddr().String())
	if err != nil {
		ws.Close() //nolint:errcheck // as above
		return nil, nil, fmt.Errorf("websocket: no address of the server: %w", err)
	}
	c := &client{newStream(ws, netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port()), nil)}
	return c, net.UDPAddrFromAddrPort(c.peer), nil
}

// client is a player's WebSocket as a net.PacketConn with one peer.
type client struct{ *stream }

// ReadFrom waits for a datagram. What is longer than b is cut off, as by UDP.
func (c *client) ReadFrom(b []byte) (int, net.Addr, error) {
	d := datagrams.Get().(*datagram)
	defer datagrams.Put(d)
	if err := c.read(d); err != nil {
		c.close()
		return 0, nil, err
	}
	return copy(b, d.b[:d.n]), net.UDPAddrFromAddrPort(d.from), nil
}

var errOtherPeer = errors.New("websocket: the connection is to another address")

// WriteTo sends a datagram, and never waits.
func (c *client) WriteTo(b []byte, to net.Addr) (int, error) {
	switch a, ok := to.(*net.UDPAddr); {
	case !ok || a.AddrPort().Port() != c.peer.Port() || a.AddrPort().Addr().Unmap() != c.peer.Addr():
		return 0, errOtherPeer
	case len(b) == 0 || len(b) > MaxDatagram:
		return 0, errNoDatagram
	}
	select {
	case <-c.done:
		return 0, net.ErrClosed
	default:
	}
	c.send(b)
	return len(b), nil
}

// Close ends the connection.
func (c *client) Close() error {
	c.close()
	c.wg.Wait()
	return nil
}

func (c *client) LocalAddr() net.Addr { return c.ws.LocalAddr() }

// SetDeadline, SetReadDeadline and SetWriteDeadline: a deadline that passes ends the connection.
func (c *client) SetDeadline(t time.Time) error { return c.ws.SetReadDeadline(t) }

// SetReadDeadline is as SetDeadline.
func (c *client) SetReadDeadline(t time.Time) error { return c.ws.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writes do not wait.
func (c *client) SetWriteDeadline(time.Time) error { return nil }
