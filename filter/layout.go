package filter

import (
	"encoding/binary"
	"net/netip"
)

// What stands in the maps, as filter.bpf.c has it. Addresses, ports and connection ids are as they
// stand in a packet; times are CLOCK_MONOTONIC in ns.

// port is a value of the map ports.
type port struct {
	Seen uint64 // when a datagram to it was last seen, within a second; 0: not since the program was loaded
	On   uint32 // 1: it is filtered
	_    uint32
}

// peerKey is a key of the map peers; its value is until when the peer is known.
type peerKey struct {
	From  [16]byte
	Port  [2]byte
	Local [2]byte
}

func peerKeyOf(a netip.AddrPort, local uint16) (k peerKey) {
	k.From = a.Addr().As16()
	binary.BigEndian.PutUint16(k.Port[:], a.Port())
	binary.BigEndian.PutUint16(k.Local[:], local)
	return k
}

// hintKey is a key of the map hints.
type hintKey struct {
	ID    [4]byte
	Local [2]byte
	_     [2]byte
}

func hintKeyOf(id uint32, local uint16) (k hintKey) {
	binary.BigEndian.PutUint32(k.ID[:], id)
	binary.BigEndian.PutUint16(k.Local[:], local)
	return k
}

// budget is a value of the maps hints and hosts.
type budget struct {
	Until uint64
	Spent uint64 // the program's
}

// netKey is a key of the maps hosts and sources.
type netKey struct {
	Prefix uint64
	Bits   uint32
	_      uint32
}

// hostKeyOf is the host that an address belongs to: an IPv4 one, or an IPv6 /64.
func hostKeyOf(a netip.Addr) netKey {
	a = a.Unmap()
	b := a.As16()
	if a.Is4() {
		return netKey{Prefix: uint64(binary.BigEndian.Uint32(b[12:])), Bits: 32}
	}
	return netKey{Prefix: binary.BigEndian.Uint64(b[:]), Bits: 64}
}
