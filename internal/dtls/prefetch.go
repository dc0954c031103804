package dtls

import "github.com/sallyport/sallyport/internal/udp"

const (
	// PrefetchFrom is from how many connections on a shard memory is read beforehand: fewer
	// fit into the processor's cache anyway.
	PrefetchFrom = 512

	// PrefetchLen is for how many datagrams memory is fetched at once: enough that
	// the processor is never without something to wait for, and few enough that
	// what has come stays in its first cache.
	PrefetchLen = 16

	// PrefetchStages is how deep that memory lies: see package prefetch.
	PrefetchStages = 2
)

// ahead is what is read of some datagrams before they are handled.
type ahead struct {
	hashes [PrefetchLen]uint32 // of the datagrams' addresses
	found  [PrefetchLen]*Conn
	read   byte // kept, so that it is read
}

// forget is called when a connection goes that may have been found.
func (a *ahead) forget() { clear(a.found[:]) }

// prefetch reads the memory that packets are about to need, of all of them at once, and leaves
// in found whose they most likely are.
func (t *Table) prefetch(packets []udp.Packet, u User) {
	a := &t.ahead
	found, hashes := a.found[:len(packets)], a.hashes[:len(packets)]
	for i := range hashes {
		hashes[i] = t.byAddr.Hash(packets[i].Addr.AddrPort)
	}
	t.byAddr.Likely(found, hashes)
	for stage := range PrefetchStages {
		for _, c := range found {
			if c != nil {
				a.read ^= c.Record.PrefetchOpen(stage) ^ u.Prefetch(c, stage)
			}
		}
	}
}
