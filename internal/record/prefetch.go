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
		return c.in.nonce[0] ^ byte(c.window.Highest())
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

// touch reads the key schedule, and behind it what every record needs of the
// rest: the last power but one of the hash key, and the sizes before the table of
// its powers. The other powers are for records of 128 bytes and more.
func (d *half) touch() byte {
	return prefetch.Lines(&d.aead, 0, prefetch.ScheduleLines) ^ prefetch.Lines(&d.aead, hashKey, 1) ^
		prefetch.Lines(&d.aead, lengths, 1)
}

// hashKey and lengths are offsets in the memory of an AES-GCM.
var hashKey, lengths = func() (int, int) {
	const powers = 256
	h := half{keyLen: 16}
	h.expand()
	size := prefetch.Size(h.aead)
	return max(0, size-16), max(0, size-powers-8)
}()
