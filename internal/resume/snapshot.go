package resume

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// A snapshot hands all live sessions of a process to the one that takes its
// place, so that players go on without a handshake:
//
//	offset size
//	     0   16  "sallyport snap 1"
//	    16    4  fleet key id
//	    20    8  made, Unix milliseconds
//	    28   16  id, random
//	    44       chunks
//
// A chunk, of which only the last one is marked so and nothing follows it:
//
//	offset size
//	     0    4  highest bit: the last chunk; other bits: length of the rest, 16 to 65552
//	     4       AES-256-GCM of whole entries and its tag (16), without additional data
//
// The key is HKDF-SHA256(fleet key, salt = header, "sallyport v1 snapshot"), so
// each snapshot has its own, and every byte of the header counts. The nonce is
// the chunk's number (8) from 0 ‖ zeros (3) ‖ 1 for the last chunk, else 0. An
// entry never crosses from one chunk to the next:
//
//	offset size
//	     0    1  kind: 2 what counts once, 3 revocation, 4 ban, 5 live address, 7 digest key, 8 address, 9 session,
//	             10 lanes, 11 memory's clock
//	     1    2  length of the content
//	     3       content
const (
	snapshotMagic  = "sallyport snap 1"
	snapshotHeader = len(snapshotMagic) + keyIDLen + 8 + 16
	lastChunk      = 1 << 31

	entryFormer     = 1 // a session without identity, as earlier versions wrote it
	entryRemembered = 2
	entryRevoked    = 3
	entryBanned     = 4
	entryLive       = 5
	entryDigests    = 7
	entryAddress    = 8
	entrySession    = 9
	entryLanes      = 10
	entryClock      = 11
)

// ErrSnapshot is the one answer to a snapshot that is refused: damaged, cut off, of
// another fleet. Nothing of it counts.
var ErrSnapshot = errors.New("resume: snapshot refused")

// Snapshot is the data that one process hands to the next. Each list is in the order in which it
// was written.
type Snapshot struct {
	ID         [16]byte // to be remembered: the same snapshot is refused a second time
	Made       time.Time
	Address    netip.AddrPort // of the server that made it; zero if it has none
	Digests    [32]byte       // the caller's key for the keys of Remembered; zero if there is none
	Clock      Clock          // by which the entries of Remembered, Revoked and Banned are over
	Sessions   []*Session
	LeftOut    int // sessions that were in it: see LeaveOut, and Read, which leaves them out of a late one and those of an earlier version
	Remembered []Remembered
	Revoked    []Revoked
	Banned     []Banned
	Live       []LiveAddress
}

// Remembered is one thing that counts once, or must not come again: its memory
// goes with the sessions, or a new process would let a used token in again.
type Remembered struct {
	Key     uint64
	Owner   uint32 // the caller's key for counting the entries of one player
	Why     uint8  // the caller's code
	Spent   uint32 // tickets up to this epoch are used up; 0 for none
	Home    uint32 // tickets up to this epoch resume only from the network that they are bound to; 0 for none
	Expires int64  // Unix ms, after which it may be forgotten
}

// Revoked is one revocation, which the new process continues to enforce.
type Revoked struct {
	Key      [32]byte
	At, Ends int64 // Unix ns: of the revocation, and after which it may be forgotten
}

// Banned is one ban, for the new process to keep the player out.
type Banned struct {
	Key    [32]byte
	Until  int64 // by the wall clock, Unix ns
	Reason uint8 // of CLOSE
	Held   int64 // ns by which memory's clock was behind when the ban was given, as far as it still is
}

// appendTo appends the content of an entry:
//
//	offset size
//	     0    8  key of what counts once
//	     8    4  key of whose it is
//	    12    1  why, a code
//	    13    4  tickets up to this epoch are used up, 0 for none
//	    17    4  tickets up to this epoch are good from one network only, 0 for none
//	    21    8  until when it is remembered, Unix milliseconds
func (e *Remembered) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, e.Key)
	dst = append(binary.BigEndian.AppendUint32(dst, e.Owner), e.Why)
	dst = binary.BigEndian.AppendUint32(dst, e.Spent)
	dst = binary.BigEndian.AppendUint32(dst, e.Home)
	return binary.BigEndian.AppendUint64(dst, uint64(e.Expires))
}

func parseRemembered(b []byte) (e Remembered, ok bool) {
	u := newUnpacker(b)
	e.Key, e.Owner, e.Why, e.Spent = u.Uint64(), u.Uint32(), u.Uint8(), u.Uint32()
	e.Home, e.Expires = u.Uint32(), int64(u.Uint64())
	return e, u.Done()
}

// appendTo appends the content of an entry:
//
//	offset size
//	     0   32  key of what is revoked
//	    32    8  when it was revoked, Unix nanoseconds
//	    40    8  until when it is remembered, Unix nanoseconds
func (e *Revoked) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, e.Key[:]...), uint64(e.At))
	return binary.BigEndian.AppendUint64(dst, uint64(e.Ends))
}

func parseRevoked(b []byte) (e Revoked, ok bool) {
	u := newUnpacker(b)
	u.Fill(e.Key[:])
	e.At, e.Ends = int64(u.Uint64()), int64(u.Uint64())
	return e, u.Done()
}

// appendTo appends the content of an entry:
//
//	offset size
//	     0   32  key of who is banned
//	    32    8  until when, Unix nanoseconds
//	    40    1  close reason
//	    41    8  by how much memory's clock was behind when it was given, nanoseconds, if it was
func (e *Banned) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, e.Key[:]...), uint64(e.Until))
	dst = append(dst, e.Reason)
	if e.Held != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.Held))
	}
	return dst
}

func parseBanned(b []byte) (e Banned, ok bool) {
	u := newUnpacker(b)
	u.Fill(e.Key[:])
	e.Until, e.Reason = int64(u.Uint64()), u.Uint8()
	if len(u.Left()) > 0 {
		e.Held = int64(u.Uint64())
		u.Require(e.Held > 0)
	}
	return e, u.Done()
}

// chunkCipher seals or opens the chunks of one snapshot, each once, in order.
type chunkCipher struct {
	aead   cipher.AEAD
	chunks uint64
}

func newChunkCipher(key fleetkey.Key, header []byte) (chunkCipher, error) {
	aead, err := key.Cipher(header, "sallyport v1 snapshot")
	return chunkCipher{aead: aead}, err
}

// nonce is that of the next chunk; it is false when a snapshot is too long.
func (c *chunkCipher) nonce(last bool) (nonce [12]byte, ok bool) {
	binary.BigEndian.PutUint64(nonce[:], c.chunks)
	nonce[11] = bits(last)
	c.chunks++
	return nonce, c.chunks <= maxChunks
}
