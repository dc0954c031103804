//go:build linux

package main

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// socketBuffer is asked of the kernel at both ends of every server's socket, in
// bytes: what transport asks for.
const socketBuffer = 4 << 20

// batchLen is how many datagrams a system call moves at most.
const batchLen = 64

// datagram is a payload and where it came from or goes to.
type datagram struct {
	b    []byte
	addr netip.AddrPort // of no meaning on a connected socket
}

// mover moves datagrams through a socket. What it receives is borrowed until the
// next receive.
type mover interface {
	receive() ([]datagram, error)
	send([]datagram) error
}

// errEmpty is what a socket that does not wait has for the one who asks.
var errEmpty = errors.New("bench: nothing there")

// style is how a peer moves datagrams.
type style int

const (
	plain     style = iota // one with a system call
	batched                // up to batchLen
	segmented              // as batched, one player's put together by the kernel
)

// udpPeer is bare UDP in a style; sealed adds DTLS records; ticking drains the
// socket hertz times a second instead of being woken.
func udpPeer(name string, s style, sealed, ticking bool) peer {
	return peer{
		name,
		func(j *job, n *counters) (endpoint, error) { return serveUDP(j, n, s, sealed, ticking) },
		func(j *job) (conn, error) { return dialUDP(j, s, sealed) },
	}
}

// udpServer echoes, and knows of its players no more than their keys.
type udpServer struct {
	job     *job
	counts  *counters
	mover   mover
	sealed  bool
	records map[netip.AddrPort]*bareRecord
	out     []datagram
	memory  []byte // for sealing a batch
}

func serveUDP(j *job, n *counters, s style, sealed, ticking bool) (endpoint, error) {
	u := &udpServer{job: j, counts: n, sealed: sealed, records: make(map[netip.AddrPort]*bareRecord), memory: make([]byte, 1<<20)}
	if ticking {
		socket, addr, err := listenUnpolled()
		if err != nil {
			return endpoint{}, err
		}
		u.mover, err = newMessages(socket, batchLen, datagramLen, false, false)
		go u.tick()
		return endpoint{Addr: addr}, err
	}
	socket, err := listenUDP()
	if err != nil {
		return endpoint{}, err
	}
	if u.mover, err = newMover(socket, s, false); err != nil {
		return endpoint{}, err
	}
	go u.loop()
	return endpoint{Addr: socket.LocalAddr().String()}, nil
}

func listenUDP() (*net.UDPConn, error) {
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	return u, errors.Join(u.SetReadBuffer(socketBuffer), u.SetWriteBuffer(socketBuffer))
}

// loop answers each batch as it comes.
func (u *udpServer) loop() {
	for {
		in, err := u.mover.receive()
		if err != nil {
			return
		}
		u.batch(in)
	}
}

// tick answers all that has come, then sleeps.
func (u *udpServer) tick() {
	for range time.Tick(time.Second / hertz) {
		for {
			in, err := u.mover.receive()
			if err != nil {
				break
			}
			u.batch(in)
			if len(in) < batchLen {
				break
			}
		}
	}
}

func (u *udpServer) batch(in []datagram) {
	u.counts.received.Add(uint64(len(in)))
	if u.sealed {
		in = u.protect(in)
	}
	if u.job.sink() {
		return
	}
	if err := u.mover.send(in); err != nil {
		u.counts.failed.Add(1)
		return
	}
	u.counts.sent.Add(uint64(len(in)))
}

// protect opens the records that came and seals the answers.
func (u *udpServer) protect(in []datagram) []datagram {
	u.out = u.out[:0]
	free := u.memory[:0]
	for _, d := range in {
		r := u.records[d.addr]
		if r == nil {
			r = newBareRecord(true)
			u.records[d.addr] = r
		}
		p, err := r.open(d.b)
		if err != nil {
			u.counts.failed.Add(1)
			continue
		}
		if !u.job.sink() {
			b := r.seal(free, p)
			u.out, free = append(u.out, datagram{b, d.addr}), b[len(b):]
		}
	}
	return u.out
}

// udpConn is a player of bare UDP.
type udpConn struct {
	socket   *net.UDPConn
	mover    mover
	record   *bareRecord // nil without protection
	received [][]byte

	mu     sync.Mutex // sending
	out    []datagram
	memory []byte
}

func dialUDP(j *job, s style, sealed bool) (conn, error) {
	socket, err := connectUDP(j.Endpoint.Addr)
	if err != nil {
		return nil, err
	}
	c := &udpConn{socket: socket, memory: make([]byte, batchLen*datagramLen)}
	if sealed {
		c.record = newBareRecord(false)
	}
	c.mover, err = newMover(socket, s, true)
	return c, err
}

func connectUDP(addr string) (*net.UDPConn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	return net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
}

func (c *udpConn) receive() ([][]byte, error) {
	in, err := c.mover.receive()
	c.received = c.received[:0]
	for _, d := range in {
		b := d.b
		if c.record != nil {
			if b, err = c.record.open(b); err != nil {
				return nil, err
			}
		}
		c.received = append(c.received, b)
	}
	return c.received, err
}

func (c *udpConn) send(payloads [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = c.out[:0]
	free := c.memory[:0]
	for _, b := range payloads {
		if c.record != nil {
			b = c.record.seal(free, b)
			free = b[len(b):]
		}
		c.out = append(c.out, datagram{b: b})
	}
	return c.mover.send(c.out)
}

func (c *udpConn) close() error { return c.socket.Close() }

func newMover(socket *net.UDPConn, s style, client bool) (mover, error) {
	if s == plain {
		return &oneByOne{socket: socket, connected: client, buffer: make([]byte, datagramLen)}, nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	if client {
		return newMessages(raw, clientBatch, clientLen, true, s == segmented)
	}
	if s == segmented {
		return newMessages(raw, batchLen, segmentedLen, false, true)
	}
	return newMessages(raw, batchLen, datagramLen, false, false)
}

// oneByOne is the plain style.
type oneByOne struct {
	socket    *net.UDPConn
	connected bool
	buffer    []byte
	one       [1]datagram
}

func (o *oneByOne) receive() ([]datagram, error) {
	n, addr, err := o.socket.ReadFromUDPAddrPort(o.buffer)
	o.one[0] = datagram{o.buffer[:n], addr}
	return o.one[:], err
}

func (o *oneByOne) send(out []datagram) (err error) {
	for _, d := range out {
		if o.connected {
			_, err = o.socket.Write(d.b)
		} else {
			_, err = o.socket.WriteToUDPAddrPort(d.b, d.addr)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
