package session

import "github.com/sallyport/sallyport/internal/prefetch"

// PrefetchHandle reads the memory that the next datagram's Handle needs, in
// three stages: what the Conn points from, what it points to, and the cipher
// behind that. Call it for a batch of connections, stage by stage. It changes
// nothing. It belongs to the receiving half.
func (c *Conn) PrefetchHandle(stage int) byte {
	if c.state != live {
		return 0
	}
	switch stage {
	case 0:
		return byte(c.id) ^ byte(c.window.Highest()) ^ byte(c.previousUntil.Nanosecond())
	case 1:
		return c.window.Prefetch() ^ c.current.in.block[0] ^ byte(c.session.expires.Load())
	}
	return prefetch.Touch(prefetch.Schedule(c.current.in.memory))
}

// PrefetchAppend does for Append what PrefetchHandle does for Handle. It belongs
// to the sending half.
func (c *Conn) PrefetchAppend(stage int) byte {
	e := c.sending.Load()
	switch {
	case e == nil:
		return 0
	case stage == 0:
		return byte(c.sequence)
	case stage == 1:
		return e.out.block[0]
	}
	return prefetch.Touch(prefetch.Schedule(e.out.memory))
}
