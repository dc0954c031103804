// Package filter drops strangers' datagrams to a Sallyport server's port before they reach the
// kernel's UDP stack. It is an XDP program on a network interface (filter.bpf.c), its loader (Load,
// the program cmd/sallyport-filter), and a Feed by which the server reports its players' addresses.
// It needs Linux 5.15 or newer on a little-endian processor.
//
//	interface ──▶ XDP program ──pass──▶ kernel ──▶ socket ──▶ transport.Server
//	                  ▲   │ drop                                      │ Config.Filter
//	                  │   ▼                                           ▼
//	               pinned maps ◀───────────────────────────────── Feed
//
// Everything but UDP datagrams to a filtered port passes: ARP, TCP, ICMP with its errors, other
// ports. So do all fragments of a datagram but the first, since they carry no port: the kernel
// drops them if the first is missing. A datagram to a filtered port is judged in this order:
//
//	the server says nothing    passes, whatever it is: no beat for Config.Stale
//	known address              passes: the server has said that a peer is there
//	first byte 20 or 22        a handshake. From a host (an IPv6 /64) at which somebody has played in the
//	                           last ten minutes it passes within that host's budget. Otherwise it passes
//	                           within the budgets of all unknown addresses and of its /24 (/48)
//	first byte 11              a handshake with proof of its address (PROTOCOL.md 9.10): the same, with budgets
//	                           of its own
//	known connection id        passes within the budget of this id: a peer whose address has changed
//	else                       is dropped
//
// The first fragment of a datagram is judged like a whole one. An IPv6 packet with more than six
// extension headers is dropped whatever follows them, since the program cannot look further;
// nothing else is dropped that is not for a filtered port.
//
// The maps are pinned in a directory of a BPF file system, by which the server finds them. Either side may be
// restarted: the maps stay, and a Feed writes everything anew into maps that are new. What a Feed has written
// is valid for as long as the server has said, and only while the Feed keeps beating. So a server that has
// died, hangs in its Filter or never knew of the filter gets the datagrams that it would get without one. A
// full map has the same effect at once: the Feed takes its beat back until there is room.
//
// The maps have a version, which is pinned beside them. A Feed of another version does not touch them, and says
// so; a program of another version replaces them.
//
// The program notes when it last saw a datagram to a port, whatever it did with it. That shows whether a loaded
// program is attached to an interface by which players come (Feed.Seeing).
//
// docs/deploy.md says how to run it.
//
// Addresses are those on the interface. Where something between it and the server translates addresses
// or ports, a server cannot say what the filter needs, and there must be no filter.
package filter
