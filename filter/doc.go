// Package filter keeps strangers' datagrams from a Sallyport server's port before the kernel's UDP
// stack has them. It is an XDP program on a network interface (filter.bpf.c), what loads it (Load,
// the program cmd/sallyport-filter), and a Feed by which the server says where its players are.
// It needs Linux 5.15 or newer on a little-endian processor.
//
//	interface ──▶ XDP program ──pass──▶ kernel ──▶ socket ──▶ transport.Server
//	                  ▲   │ drop                                      │ Config.Filter
//	                  │   ▼                                           ▼
//	               pinned maps ◀───────────────────────────────── Feed
//
// What is no UDP datagram to a filtered port passes: ARP, TCP, ICMP with its errors, other ports. So do
// fragments but the first of a datagram, which say no port: the kernel drops them without the first.
// A datagram to a filtered port is judged in this order:
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
// extension headers is dropped whatever is behind them, since nobody could tell; nothing else is
// dropped that is not for a filtered port.
//
// The maps are pinned in a directory of a BPF file system, by which the server finds them. Either side may
// be restarted: the maps stay, and a Feed writes everything anew into maps that are new. What a Feed has
// written is good for as long as the server has said, and for nothing once it beats no more. So a server that
// has died, hangs in its Filter or never knew of the filter has the datagrams that it would have without.
// A map that is full does so, too: the Feed stops beating until there is room.
//
// The maps have a version, which is pinned beside them. A Feed of another one does not touch them, and says so;
// a program of another one replaces them.
//
// The program notes when it has last had a datagram to a port, whatever it made of it: a program that is loaded
// and attached to nothing, or not where players come in, is known by that (Feed.Seeing).
//
// docs/deploy.md says how to run it.
//
// Addresses are those on the interface. Where something between it and the server translates addresses
// or ports, a server cannot say what the filter needs, and there must be no filter.
package filter
