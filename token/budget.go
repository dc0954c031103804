package token

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// jitter returns at random between nine tenths of d and d.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return d - time.Duration(binary.BigEndian.Uint64(b[:])%uint64(d/10+1))
}
