// Package simnet carries UDP datagrams between goroutines as a bad network would, and exactly repeatably.
//
// It is made for testing/synctest: inside a bubble a whole session with latency, loss and retransmission takes as
// long as its computations. It starts no goroutine that outlives a delivery, and holds no lock while it waits.
//
//	WriteTo ─ copy ─ Tap ─┬─ lost
//	                      └─ link: corrupt? twice? how late? ─ in flight, by due time ─ receive queue ─ ReadFrom
//	Inject ─ copy ────────────────────────────────────────────────────────────────────┘
//
// Each direction between two addresses is a link with a generator of its own, seeded by the network's seed and the two
// addresses. What happens to the n-th datagram of a link therefore depends on the seed, the impairment and n, and not
// on what other goroutines do meanwhile. Datagrams of different links that are due at the same instant arrive ordered
// by address. Only writers without latency that write to one address at the same instant race, as on a real host.
//
// Every datagram draws the same number of times: a higher share of losses does not change which ones are duplicated.
//
// Impair does the same to a real socket.
package simnet
