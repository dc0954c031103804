package auditchain

import (
	"crypto"
	"crypto/rand"
	"encoding/hex"
)

// Chain links the lines of one writer. It is not safe for concurrent use. It begins with a head,
// and begins anew, under another id, behind a line of which the writer does not know what has
// become.
type Chain struct {
	signer crypto.Signer // constant
	key    string        // its KeyID; constant

	id       string // empty before the begin is written, and when it is to begin anew
	sequence uint64 // of the last line
	lost     uint64 // events that its lines state as lost

	previous string // Hash of the last line that was written, of this chain or of the one before
	after    *After // which line that is; nil if unknown
}

// New returns a chain that goes on from a line, if after says which. signer is one that Public
// takes.
func New(signer crypto.Signer, after *After, previous string) *Chain {
	key, _ := Public(signer)
	return &Chain{signer: signer, key: KeyID(key), after: after, previous: previous}
}

// Broken reports whether the next line must be a begin.
func (c *Chain) Broken() bool { return c.id == "" }

// Next returns the number and the link of a line that is to be written next.
func (c *Chain) Next() (uint64, *Link) {
	return c.sequence + 1, &Link{ID: c.id, Previous: c.previous}
}

// NextHead is Next for a head, given the events that it states as lost itself. torn says that the
// file may end in the middle of a line.
func (c *Chain) NextHead(kind string, lost uint64, torn bool) (uint64, *Link) {
	if kind == Begin {
		c.begin()
	}
	sequence, link := c.Next()
	link.Head, link.Key, link.Lost = kind, c.key, c.lost+lost
	if kind == Begin {
		link.After, link.Torn = c.after, torn
	}
	return sequence, link
}

// Sign is Sign with the chain's key.
func (c *Chain) Sign(line []byte) ([]byte, error) { return Sign(c.signer, line) }

func (c *Chain) begin() {
	var id [IDLen]byte
	rand.Read(id[:]) // never fails
	c.id, c.sequence, c.lost = hex.EncodeToString(id[:]), 0, 0
}

// Wrote is told that a line, without its line feed, has been written as Next said, and how many
// events it states as lost.
func (c *Chain) Wrote(line []byte, lost uint64) {
	hash := Hash(line)
	c.sequence++
	c.lost += lost
	c.previous = HashText(hash)
	c.after = &After{c.id, c.sequence}
}

// Break is told that writing has failed: the chain begins anew.
func (c *Chain) Break() { c.id = "" }
