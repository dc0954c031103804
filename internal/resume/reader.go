package resume

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// Read reads a whole snapshot, for up to SnapshotLife after it was made. Its
// caller has made sure that nobody else reads it, by removing it first, and asks
// whether it knows the id. Nothing in the result is part of what was read. The
// error is ErrSnapshot, and then there is none: one session of it restored
// beside a process that still runs would use nonces twice.
func Read(r io.Reader, keys *fleetkey.Ring, now time.Time) (*Snapshot, error) {
	var header [snapshotHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, ErrSnapshot
	}
	u := unpacker{left: header[:]}
	u.require(string(u.take(len(snapshotMagic))) == snapshotMagic)
	key, ok := keys.Find(u.uint32())
	made := int64(u.uint64())
	age := now.UnixMilli() - made
	if u.bad || !ok || age < 0 || age > SnapshotLife.Milliseconds() {
		return nil, ErrSnapshot
	}
	c, err := newChunkCipher(key, header[:])
	if err != nil {
		return nil, ErrSnapshot
	}
	p := parser{snapshot: &Snapshot{Made: time.UnixMilli(made)}}
	u.fill(p.snapshot.ID[:])
	if !p.read(r, &c) {
		p.wipe()
		return nil, ErrSnapshot
	}
	return p.snapshot, nil
}

// parser fills a snapshot from the chunks of one.
type parser struct {
	snapshot *Snapshot
	names    shared
}

// read reads all chunks and makes sure that nothing follows the last.
func (p *parser) read(r io.Reader, c *chunkCipher) bool {
	buf := make([]byte, maxChunk+c.aead.Overhead())
	defer clear(buf)
	for last := false; !last; {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return false
		}
		n := binary.BigEndian.Uint32(head[:])
		last = n&lastChunk != 0
		nonce, ok := c.nonce(last)
		if n &^= lastChunk; !ok || n > uint32(len(buf)) {
			return false
		}
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return false
		}
		chunk, err := c.aead.Open(buf[:0], nonce[:], buf[:n], nil)
		if err != nil || !p.parse(chunk) {
			return false
		}
	}
	_, err := io.ReadFull(r, make([]byte, 1))
	return err == io.EOF
}

// parse reads the entries of one chunk.
func (p *parser) parse(chunk []byte) bool {
	for u := (unpacker{left: chunk}); !u.done(); {
		kind, content := u.uint8(), u.item()
		if u.bad || !p.entry(kind, content) {
			return false
		}
	}
	return true
}

func (p *parser) entry(kind byte, content []byte) bool {
	switch kind {
	case entrySession:
		e, ok := parseSession(content, &p.names)
		p.snapshot.Sessions = append(p.snapshot.Sessions, e)
		return ok
	case entryRemembered:
		e, ok := parseRemembered(content)
		p.snapshot.Remembered = append(p.snapshot.Remembered, e)
		return ok
	case entryRevoked:
		e, ok := parseRevoked(content)
		p.snapshot.Revoked = append(p.snapshot.Revoked, e)
		return ok
	case entryBanned:
		e, ok := parseBanned(content)
		p.snapshot.Banned = append(p.snapshot.Banned, e)
		return ok
	case entryLive:
		e, ok := parseLiveAddress(content)
		p.snapshot.Live = append(p.snapshot.Live, e)
		return ok
	case entryDigests:
		u := unpacker{left: content}
		u.require(p.snapshot.Digests == [32]byte{})
		u.fill(p.snapshot.Digests[:])
		return u.done() && p.snapshot.Digests != [32]byte{}
	}
	return false
}

// wipe erases the keys of what was read in vain.
func (p *parser) wipe() {
	for _, s := range p.snapshot.Sessions {
		s.Wipe()
	}
}
