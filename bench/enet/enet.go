//go:build linux

package enet

import (
	"errors"
	"net/netip"
	"sync"
	"unsafe"
)

// patience is how long a peer may be silent, in ms.
const patience = 120_000

// The kinds of events of ENet.
const (
	connected    = 1
	disconnected = 2
	received     = 3
)

// event is what a host has seen.
type event struct {
	kind    int
	peer    unsafe.Pointer
	channel int
	message []byte // borrowed until free
	free    func()
}

var (
	errHost    = errors.New("enet: no host")
	errSend    = errors.New("enet: not sent")
	errService = errors.New("enet: the host has failed")
)

// Load loads the library of this name. Call it once, before all else.
func Load(name string) error { return load(name) }

// Host is one socket with at most one peer. All methods are safe for concurrent use.
type Host struct {
	channels int

	mu sync.Mutex
	// +checklocks:mu
	host unsafe.Pointer // nil once closed
	// +checklocks:mu
	peer unsafe.Pointer // nil until connected
}

// New opens a socket on loopback: at a port of its own where it listens, with
// buffers of so many bytes.
func New(listen bool, channels, buffer int) (*Host, error) {
	p := create(listen, channels, buffer)
	if p == nil {
		return nil, errHost
	}
	return &Host{channels: channels, host: p}, nil
}

// Port is where a listening host can be reached.
func (h *Host) Port() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return port(h.host)
}

// Descriptor is the socket's, which the host owns.
func (h *Host) Descriptor() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return descriptor(h.host)
}

// Connect begins to connect. Service ends it.
func (h *Host) Connect(to netip.AddrPort) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if connect(h.host, to, h.channels) == nil {
		return errHost
	}
	return nil
}

// Service does all that is due, and calls receive for each message: b is
// borrowed. It reports whether a peer is connected.
func (h *Host) Service(receive func(channel int, b []byte)) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.host != nil {
		switch e := service(h.host); {
		case e.kind < 0 || e.kind == disconnected:
			h.peer = nil
			return false, errService
		case e.kind == connected:
			h.peer = e.peer
			wait(h.peer, patience)
		case e.kind == received:
			receive(e.channel, e.message)
			e.free()
		default:
			return h.peer != nil, nil
		}
	}
	return false, errService
}

// Send sends a reliable message at once, as far as ENet's window allows.
func (h *Host) Send(channel int, b []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.host == nil || h.peer == nil || !send(h.host, h.peer, channel, b) {
		return errSend
	}
	return nil
}

// Close closes the socket without a word to the peer.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.host != nil {
		destroy(h.host)
		h.host, h.peer = nil, nil
	}
}
