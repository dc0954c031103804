package record

import "github.com/sallyport/sallyport/internal/prefetch"

// PrefetchOpen reads the memory that the next Open needs, in two stages: first what the Conn holds,
// then what it points to. Call it stage by stage for a batch of connections. It changes nothing.
//
// Owner: that of Open.
func (c *Conn) PrefetchOpen(stage int) byte {
	switch stage {
	case 0:
		return c.in.nonce[0] ^ byte(c.window.Highest())
	case 1:
		return c.in.prefetch() ^ c.window.Prefetch()
	}
	return 0
}

// PrefetchSeal is PrefetchOpen for Seal. Owner: that of Seal.
func (c *Conn) PrefetchSeal(stage int) byte {
	switch stage {
	case 0:
		return c.out.nonce[0] ^ byte(c.next)
	case 1:
		return c.out.prefetch()
	}
	return 0
}

// prefetch reads the key schedule.
func (d *half) prefetch() byte { return prefetch.Lines(&d.aead, scheduleLines) }

// scheduleLines is what prefetch may read of an AES-GCM, whose type does not depend on the key.
var scheduleLines = func() int {
	h := half{keyLen: 16}
	h.expand()
	return prefetch.ScheduleLines(h.aead)
}()
