package machine

import (
	"crypto/aes"

	"github.com/sallyport/sallyport/internal/prefetch"
)

// PrefetchHandle reads the memory that the next Handle needs, in two stages: the Conn itself, then
// what it points to. Call it for a batch of connections, stage by stage. It changes nothing. It
// belongs to the receiving half.
func (c *Conn) PrefetchHandle(stage int) byte {
	switch {
	case stage == 0:
		return byte(c.state) ^ byte(c.accepted) ^ byte(c.own.ends.Load()) ^ c.behaviour.Prefetch() ^ byte(c.window.Highest()) ^
			byte(c.previousUntil) ^ c.first.in.block[0]
	case !c.Begun():
		return 0
	}
	return c.window.Prefetch() ^ prefetch.Lines(&c.current.in.cipher, scheduleLines)
}

// PrefetchAppend does the same for Append. It belongs to the sending half.
func (c *Conn) PrefetchAppend(stage int) byte {
	e := c.sending.Load() // in the first stage too: it may lie in another cache line than sequence
	switch {
	case e == nil:
		return 0
	case stage == 0:
		return byte(c.sequence) ^ c.first.out.block[0] ^ byte(c.id)
	}
	return prefetch.Lines(&e.out.cipher, scheduleLines)
}

// scheduleLines is how many cache lines of an expanded key may be prefetched.
var scheduleLines = func() int {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		panic(err)
	}
	return prefetch.ScheduleLines(block)
}()
