// Package netsim carries UDP datagrams between sockets in memory as a bad network would, and exactly
// repeatably, so that a game can test how it plays over one.
//
// Inside a bubble of testing/synctest a whole match with latency, loss and a narrow line takes as
// long as its computations, and every instant is exact. Outside of one it works in real time. It
// starts no goroutine that outlives a delivery, and holds no lock while it waits.
//
//	func TestMatch(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			network := netsim.New(1) // a seed: the same one gives the same losses
//			defer network.Close()
//			socket, err := network.Listen(netip.MustParseAddrPort("192.0.2.1:7777"))
//			server, err := transport.Listen("", transport.Config{Conn: socket, …})
//			go server.Serve(handler)
//
//			phone, err := network.Listen(netip.MustParseAddrPort("198.51.100.7:1000"))
//			phone.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond, Bandwidth: 512_000})
//			phone.SetIncoming(netsim.Impairment{Loss: 0.05, Bandwidth: 2_000_000})
//			client, err := transport.Dial(ctx, "192.0.2.1:7777", transport.ClientConfig{Conn: phone, …})
//			…
//
// The example below and the test in match_test.go are complete. The certificate has to come from
// inside the bubble, whose clock begins in the year 2000: package dev makes one.
//
// # The way of a datagram
//
//	WriteTo ─ copy ─ Tap ─ SetImpairment of the sender, or of the network ─┐
//	        ┌──────────────────────────────────────────────────────────────┘
//	        └ bottleneck ─ lost? corrupt? twice? how late? ─ in flight, by due time ─┐
//	        ┌────────────────────────────────────────────────────────────────────────┘
//	        └ SetIncoming of the receiver: all of this once more ─ receive queue ─ ReadFrom
//	                                                                     │
//	Inject ─ copy ───────────────────────────────────────────────────────┘
//
// Each direction between two addresses is a link with a generator of its own, seeded by the
// network's seed and the two addresses. What a link loses, copies, corrupts or delays therefore
// depends on the seed, the impairment and the number of datagrams before it, and not on what other
// goroutines do meanwhile; a bottleneck that several links share adds what it had to send before.
// Datagrams of different links that are due at the same instant arrive ordered by address. Only
// writers without latency that write to one address at the same instant race, as on a real host,
// and so do writers to one bottleneck.
//
// Every datagram draws the same number of times: a higher share of losses does not change which ones
// are duplicated, and neither does a bottleneck.
//
// # Bandwidth
//
// Bandwidth is counted as on a real line: a byte on the link is a byte of an IP packet, so that a
// UDP payload counts 28 bytes more than it has over IPv4 and 48 more over IPv6. Fragments of a
// large payload are not counted, nor is what Ethernet or a radio adds. Packets leave the bottleneck
// one after the other, and the queue before it drops what comes when it is full. Loss, Jitter and
// Duplicate come behind: what they take or add has no effect on the bottleneck.
//
// A socket has a bottleneck for what it sends and one for what it is sent, each shared by all its
// flows: that of a server's socket is shared by all players, that of a player's is the player's line.
//
// Impair does all of this to a real socket.
package netsim
