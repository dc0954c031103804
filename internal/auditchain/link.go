package auditchain

import (
	"crypto/sha256"
	"encoding/hex"
)

// What a head says of its chain.
const (
	Begin = "begin" // the first line
	Mark  = "mark"  // once in a while
	End   = "end"   // the last line
)

// IDLen is the length of a chain's id in bytes: random ones do not collide.
const IDLen = 16

// Link is the attribute unmapped.chain. The signature of a head stands behind all of it.
type Link struct {
	ID       string `json:"id"`                 // of the chain: 32 hex digits
	Previous string `json:"previous,omitempty"` // Hash of the line before in hex; none if there is none or it is unknown
	After    *After `json:"after,omitempty"`    // of a begin: where Previous is from
	Torn     bool   `json:"torn,omitempty"`     // of a begin: the line in the file before it may be cut off
	Head     string `json:"head,omitempty"`     // Begin, Mark or End
	Lost     uint64 `json:"lost,omitempty"`     // of a head: events lost since the chain began
	Key      string `json:"key,omitempty"`      // of a head: KeyID of the key that signs it
}

// After names the last line of the chain before.
type After struct {
	ID       string `json:"id"`
	Sequence uint64 `json:"sequence"`
}

// Hash returns the hash of a line, given without its line feed.
func Hash(line []byte) [sha256.Size]byte { return sha256.Sum256(line) }

// HashText returns a hash as lines have it.
func HashText(hash [sha256.Size]byte) string { return hex.EncodeToString(hash[:]) }
