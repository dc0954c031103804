package resume

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// Read reads a whole snapshot. The caller ensures that no other process reads it, by removing it
// first, and checks whether it knows the id. Nothing in the result is part of the input. The error
// is ErrSnapshot, and then the result is nil: if one of its sessions were restored beside a process
// that still runs, nonces would be used twice.
//
// Sessions may be restored for SnapshotLife after the snapshot was made; later the result has none.
// Every other entry has an expiry of its own and can only refuse players, so it remains.
func Read(r io.Reader, keys *fleetkey.Ring, now time.Time) (*Snapshot, error) {
	var header [snapshotHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, ErrSnapshot
	}
	u := newUnpacker(header[:])
	u.Require(string(u.Take(len(snapshotMagic))) == snapshotMagic)
	key, ok := keys.Find(u.Uint32())
	made := int64(u.Uint64())
	age := now.UnixMilli() - made
	if u.Bad() || !ok {
		return nil, ErrSnapshot
	}
	c, err := newChunkCipher(key, header[:])
	if err != nil {
		return nil, ErrSnapshot
	}
	p := parser{snapshot: &Snapshot{Made: time.UnixMilli(made)}}
	u.Fill(p.snapshot.ID[:])
	if !p.read(r, &c) {
		p.snapshot.LeaveOut()
		return nil, ErrSnapshot
	}
	if age < 0 {
		p.snapshot.Clock = p.snapshot.Clock.setBack(p.snapshot.Made.Sub(now))
	}
	if age < 0 || age > SnapshotLife.Milliseconds() {
		p.snapshot.LeaveOut()
	}
	return p.snapshot, nil
}

// parser fills a snapshot from the chunks of one.
type parser struct {
	snapshot *Snapshot
	names    shared
	lanes    pieces
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
	return err == io.EOF && p.endPieces()
}

// parse reads the entries of one chunk.
func (p *parser) parse(chunk []byte) bool {
	for u := newUnpacker(chunk); !u.Done(); {
		kind, content := u.Uint8(), u.item()
		if u.Bad() || !p.entry(kind, content) {
			return false
		}
	}
	return true
}

func (p *parser) entry(kind byte, content []byte) bool {
	if kind != entryLanes && !p.endPieces() {
		return false
	}
	switch kind {
	case entryLanes:
		return p.piece(content)
	case entrySession:
		e, ok := parseSession(content, &p.names)
		p.snapshot.Sessions = append(p.snapshot.Sessions, e)
		return ok
	case entryFormer:
		p.snapshot.LeftOut++
		return true
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
	case entryAddress:
		return p.address(content)
	case entryDigests:
		u := newUnpacker(content)
		u.Require(p.snapshot.Digests == [32]byte{})
		u.Fill(p.snapshot.Digests[:])
		return u.Done() && p.snapshot.Digests != [32]byte{}
	case entryClock:
		e, ok := parseClock(content)
		ok = ok && p.snapshot.Clock == Clock{}
		p.snapshot.Clock = e
		return ok
	}
	return false
}

// address reads the server's address, which a snapshot has at most once.
func (p *parser) address(content []byte) bool {
	n := len(content) - 2
	addr, ok := netip.AddrFromSlice(content[:max(0, n)])
	if !ok || p.snapshot.Address.IsValid() {
		return false
	}
	p.snapshot.Address = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(content[n:]))
	return true
}

// LeaveOut takes the sessions out, and erases their keys.
func (s *Snapshot) LeaveOut() {
	for _, e := range s.Sessions {
		e.Wipe()
	}
	s.LeftOut, s.Sessions = s.LeftOut+len(s.Sessions), nil
}
