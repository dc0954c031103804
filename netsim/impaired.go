package netsim

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Impaired is a real UDP socket behind a bad network. All methods are safe for concurrent use.
type Impaired struct {
	// OnDrop is called for each datagram that Loss, a bottleneck's full queue, a blackout or a full
	// receive queue takes, possibly for both directions at once. Set it before the first read or
	// write. It must neither block nor use this socket, nor keep the bytes.
	OnDrop func(outgoing bool, datagram []byte)

	socket udpSocket  // set by Impair, constant afterwards
	impair Impairment // likewise; the zero value bypasses everything below, but in a blackout
	dark   atomic.Bool

	out, in         line
	outLink, inLink *link      // guarded by out.mu and in.mu
	up, down        bottleneck // likewise
	received        inbox
	pump            sync.Once
	pumped          sync.WaitGroup // the goroutine that reads the socket; Close waits
}

var _ net.PacketConn = (*Impaired)(nil)

// Impair puts im between pc and its user, for what it sends and, drawn separately, for what it
// receives. Each direction is one link with one bottleneck, whatever the peer's address, so that
// ephemeral ports do not change the outcome for a seed. With a zero im every call goes straight to
// pc. Otherwise the addresses must be *net.UDPAddr. The result owns pc. The error matches
// ErrConfig, and then pc remains the caller's.
func Impair(pc net.PacketConn, im Impairment, seed uint64) (*Impaired, error) {
	im, err := im.WithDefaults()
	if err != nil {
		return nil, err
	}
	i := &Impaired{socket: socketOf(pc), impair: im, outLink: newLink(seed, 0), inLink: newLink(seed, 1)}
	i.received.init()
	i.out.arrive = i.leave
	i.in.arrive = i.enter
	return i, nil
}

// Blackout begins or ends a blackout: while it lasts, everything that is written or that the socket
// receives is lost. What was in flight before still arrives. Reads wait as if nothing came.
func (i *Impaired) Blackout(on bool) { i.dark.Store(on) }

// WriteToUDPAddrPort sends a copy of b. With an impairment it reports no error but net.ErrClosed.
func (i *Impaired) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	im := i.present()
	if im == (Impairment{}) {
		return i.socket.WriteToUDPAddrPort(b, to)
	}
	if i.received.failed() != nil {
		return 0, opError("write", i.LocalAddr(), net.ErrClosed)
	}
	i.carryOut(im, &datagram{to: to, data: slices.Clone(b)})
	return len(b), nil
}

// WriteTo is WriteToUDPAddrPort for a *net.UDPAddr.
func (i *Impaired) WriteTo(b []byte, to net.Addr) (int, error) {
	if i.present() == (Impairment{}) {
		return i.socket.WriteTo(b, to)
	}
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, opError("write", i.LocalAddr(), syscall.EINVAL)
	}
	return i.WriteToUDPAddrPort(b, a.AddrPort())
}

// ReadFromUDPAddrPort waits for a datagram. What does not fit into b is cut off.
func (i *Impaired) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	if i.transparent() {
		return i.readThrough(b)
	}
	i.pump.Do(func() { i.pumped.Go(i.receive) })
	n, from, err := i.received.read(b)
	if err != nil {
		return 0, from, opError("read", i.LocalAddr(), err)
	}
	return n, from, nil
}

// ReadFrom is ReadFromUDPAddrPort with a *net.UDPAddr.
func (i *Impaired) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := i.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// readThrough reads the socket itself, and past what a blackout takes.
func (i *Impaired) readThrough(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := i.socket.ReadFromUDPAddrPort(b)
		im := i.present()
		if err != nil || im == (Impairment{}) {
			return n, from, err
		}
		i.carryIn(im, &datagram{from: from, data: b[:n]})
	}
}

// receive feeds what the socket receives to the incoming line, until the socket fails.
func (i *Impaired) receive() {
	buf := make([]byte, maxPayload)
	for {
		n, from, err := i.socket.ReadFromUDPAddrPort(buf)
		if err != nil {
			i.received.fail(cause(err))
			return
		}
		i.carryIn(i.present(), &datagram{from: from, data: slices.Clone(buf[:n])})
	}
}

func (i *Impaired) carryOut(im Impairment, d *datagram) {
	i.out.mu.Lock()
	defer i.out.mu.Unlock()
	if !i.out.send(i.outLink, &i.up, im, d) {
		i.dropped(true, d.data)
	}
}

func (i *Impaired) carryIn(im Impairment, d *datagram) {
	i.in.mu.Lock()
	defer i.in.mu.Unlock()
	if !i.in.send(i.inLink, &i.down, im, d) {
		i.dropped(false, d.data)
	}
}

// leave writes what is due to the socket.
func (i *Impaired) leave(d *datagram) outcome {
	if _, err := i.socket.WriteToUDPAddrPort(d.data, d.to); err != nil {
		return unreachable
	}
	return delivered
}

// enter queues what is due for the reader.
func (i *Impaired) enter(d *datagram) outcome {
	o := i.received.put(d)
	if o == overflowed {
		i.dropped(false, d.data)
	}
	return o
}

func (i *Impaired) dropped(outgoing bool, b []byte) {
	if i.OnDrop != nil {
		i.OnDrop(outgoing, b)
	}
}

// Stats returns the counts of each direction since Impair; without an impairment, of blackouts alone.
func (i *Impaired) Stats() (out, in Stats) { return i.out.snapshot(), i.in.snapshot() }

// LocalAddr returns the socket's address.
func (i *Impaired) LocalAddr() net.Addr { return i.socket.LocalAddr() }

// SetDeadline sets both deadlines.
func (i *Impaired) SetDeadline(t time.Time) error {
	if i.transparent() {
		return i.socket.SetDeadline(t)
	}
	return i.SetReadDeadline(t)
}

// SetReadDeadline ends waiting and later reads with os.ErrDeadlineExceeded at t; the zero time
// removes it.
func (i *Impaired) SetReadDeadline(t time.Time) error {
	if i.transparent() {
		return i.socket.SetReadDeadline(t)
	}
	if err := i.received.setDeadline(t); err != nil {
		return opError("set", i.LocalAddr(), err)
	}
	return nil
}

// SetWriteDeadline has no effect with an impairment, because no write waits then.
func (i *Impaired) SetWriteDeadline(t time.Time) error {
	if i.transparent() {
		return i.socket.SetWriteDeadline(t)
	}
	return nil
}

// Close closes the socket and discards what is in flight. When it returns, no goroutine and no timer is left.
func (i *Impaired) Close() error {
	i.out.close()
	err := i.socket.Close()
	i.in.close()
	i.received.fail(net.ErrClosed)
	i.pump.Do(func() {}) // no read starts it any more
	i.pumped.Wait()
	return err
}

func (i *Impaired) transparent() bool { return i.impair == Impairment{} }

// present is the impairment as of now.
func (i *Impaired) present() Impairment {
	if i.dark.Load() {
		return Impairment{Loss: 1}
	}
	return i.impair
}
