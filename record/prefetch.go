package record

import "github.com/sallyport/sallyport/internal/prefetch"

// PrefetchOpen reads the memory that the next Open needs, in two stages: in the
// first what the Conn points from, in the second what it points to. Call it for
// a batch of connections, stage by stage. It changes nothing.
//
// Owner: that of Open.
func (c *Conn) PrefetchOpen(stage int) byte {
	switch stage {
	case 0:
		return c.in.nonce[0] ^ byte(c.failed)
	case 1:
		return c.in.touch() ^ c.window.Prefetch()
	}
	return 0
}

// PrefetchSeal does for Seal what PrefetchOpen does for Open. Owner: that of
// Seal.
func (c *Conn) PrefetchSeal(stage int) byte {
	switch stage {
	case 0:
		return c.out.nonce[0] ^ byte(c.next)
	case 1:
		return c.out.touch()
	}
	return 0
}

func (d *half) touch() byte {
	return prefetch.Touch(prefetch.Schedule(d.memory)) ^ prefetch.Touch(prefetch.Tables(d.memory))
}
