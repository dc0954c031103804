package link

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/sallyport/sallyport/netsim"
)

const (
	socketBuffer = 4 << 20 // bytes: the relay drops nothing that the link does not
	datagramLen  = 2048    // bytes: more than any MTU here
)

// Relay forwards datagrams between clients and one server. Close stops it.
type Relay struct {
	server netip.AddrPort
	front  *netsim.Impaired // towards the clients
	heart  *heart
	wg     sync.WaitGroup // one goroutine for each socket, and the heart; Close waits

	mu sync.Mutex
	// +checklocks:mu
	backs map[netip.AddrPort]*net.UDPConn // towards the server, one for each client
	// +checklocks:mu
	closed bool
}

// Stats are a relay's.
type Stats struct {
	Up, Down netsim.Stats
	Behind   float64 // share of its timers that rang more than Punctual late
}

// Listen begins to forward, from a port of its own on loopback. What happens to
// datagrams follows from seed.
func Listen(server netip.AddrPort, im netsim.Impairment, seed uint64) (*Relay, error) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	if err := enlarge(socket); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	front, err := netsim.Impair(socket, im, seed)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	r := &Relay{server: server, front: front, heart: newHeart(), backs: make(map[netip.AddrPort]*net.UDPConn)}
	r.wg.Go(r.heart.run)
	r.wg.Go(r.fromClients)
	return r, nil
}

func enlarge(c *net.UDPConn) error {
	return errors.Join(c.SetReadBuffer(socketBuffer), c.SetWriteBuffer(socketBuffer))
}

// Addr is where clients connect to.
func (r *Relay) Addr() netip.AddrPort { return r.front.LocalAddr().(*net.UDPAddr).AddrPort() }

// Stats returns what happened so far.
func (r *Relay) Stats() Stats {
	down, up := r.front.Stats()
	return Stats{Up: up, Down: down, Behind: r.heart.behind()}
}

// fromClients forwards until the socket is closed.
func (r *Relay) fromClients() {
	b := make([]byte, datagramLen)
	for {
		n, from, err := r.front.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if c := r.back(from); c != nil {
			_, _ = c.Write(b[:n]) // a refused datagram is lost
		}
	}
}

// back returns the socket towards the server for a client, nil if there is none
// to be had.
func (r *Relay) back(client netip.AddrPort) *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.backs[client]
	if c != nil || r.closed {
		return c
	}
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(r.server))
	if err != nil {
		return nil
	}
	if enlarge(c) != nil {
		_ = c.Close()
		return nil
	}
	r.backs[client] = c
	r.wg.Go(func() { r.fromServer(c, client) })
	return c
}

// fromServer forwards what the server says to one client, until the socket is
// closed.
func (r *Relay) fromServer(c *net.UDPConn, client netip.AddrPort) {
	b := make([]byte, datagramLen)
	for {
		n, err := c.Read(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil: // else the server was not there: ICMP
			_, _ = r.front.WriteToUDPAddrPort(b[:n], client)
		}
	}
}

// Close stops forwarding and waits for its goroutines.
func (r *Relay) Close() error {
	close(r.heart.stop)
	err := r.front.Close()
	r.mu.Lock()
	r.closed = true
	for _, c := range r.backs {
		err = errors.Join(err, c.Close())
	}
	r.mu.Unlock()
	r.wg.Wait()
	return err
}
