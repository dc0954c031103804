package resume

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// Writer writes a snapshot, which is valid only after Close: the last chunk completes it. Close
// must be called once the old process has stopped sending. A Writer serves one goroutine.
type Writer struct {
	w      io.Writer
	cipher chunkCipher
	names  shared
	chunk  []byte // entries to come
	entry  []byte
	lanes  []byte
	laned  int // bytes of the file that are lanes
	sealed []byte
	err    error // of w; every later call returns it
}

// NewWriter writes the header, with the sealing key of the ring; the snapshot's id is 16 bytes of
// random. The error matches fleetkey.ErrKey if there is no key, or is that of w or random.
func NewWriter(w io.Writer, keys *fleetkey.Ring, now time.Time, random io.Reader) (*Writer, error) {
	key, _ := keys.First() // without one, the cipher fails
	header := append(make([]byte, 0, snapshotHeader), snapshotMagic...)
	header = binary.BigEndian.AppendUint32(header, key.ID())
	header = binary.BigEndian.AppendUint64(header, uint64(now.UnixMilli()))
	header = header[:snapshotHeader]
	if _, err := io.ReadFull(random, header[snapshotHeader-16:]); err != nil {
		return nil, err
	}
	c, err := newChunkCipher(key, header)
	if err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	return &Writer{w: w, cipher: c, names: shared{numbers: make(map[string]uint16)}}, nil
}

// Add writes one session and keeps nothing of its keys after Close. For a session that no reader
// would accept, or whose lanes exceed RoomForLanes, it returns ErrSnapshot, and the snapshot
// continues without it. Any other error is that of the underlying writer, and ends the snapshot.
func (w *Writer) Add(s *Session) error {
	if !s.coherent() || s.Lanes != nil && w.RoomForLanes(s.Lanes) < len(s.Lanes.State) {
		return ErrSnapshot
	}
	w.entry = s.appendTo(w.entry[:0], &w.names)
	if err := w.put(entrySession); err != nil || s.Lanes == nil {
		return err
	}
	return w.putLanes(s)
}

// Remember writes one single-use entry. An error ends the snapshot.
func (w *Writer) Remember(e Remembered) error {
	w.entry = e.appendTo(w.entry[:0])
	return w.put(entryRemembered)
}

// Revoke writes one revocation. An error ends the snapshot.
func (w *Writer) Revoke(e Revoked) error {
	w.entry = e.appendTo(w.entry[:0])
	return w.put(entryRevoked)
}

// Live writes one address at which a session lives or has lived lately. An error ends the snapshot.
func (w *Writer) Live(e LiveAddress) error {
	w.entry = e.appendTo(w.entry[:0])
	return w.put(entryLive)
}

// Ban writes one ban. An error ends the snapshot.
func (w *Writer) Ban(e Banned) error {
	w.entry = e.appendTo(w.entry[:0])
	return w.put(entryBanned)
}

// For writes the address of the server, and may be called at most once. A server without a UDP
// address has none. An error ends the snapshot.
func (w *Writer) For(a netip.AddrPort) error {
	if !a.IsValid() {
		return w.err
	}
	w.entry = binary.BigEndian.AppendUint16(append(w.entry[:0], a.Addr().AsSlice()...), a.Port())
	return w.put(entryAddress)
}

// Digests writes the key from which the keys of Remembered are derived; it is not zero. It must be
// called once. An error ends the snapshot.
func (w *Writer) Digests(key *[32]byte) error {
	w.entry = append(w.entry[:0], key[:]...)
	return w.put(entryDigests)
}

// Clock writes memory's clock, and may be called at most once. An error ends the snapshot.
func (w *Writer) Clock(e Clock) error {
	if e == (Clock{}) {
		return w.err
	}
	w.entry = e.appendTo(w.entry[:0])
	return w.put(entryClock)
}

// Close writes the last chunk and erases the plaintext. It does not close the underlying writer.
// After an error there is no valid snapshot.
func (w *Writer) Close() error {
	w.flush(true)
	clear(w.entry[:cap(w.entry)])
	clear(w.chunk[:cap(w.chunk)])
	clear(w.lanes[:cap(w.lanes)])
	return w.err
}

// put adds w.entry to the chunk, after sealing the one that is full.
func (w *Writer) put(kind byte) error {
	if len(w.chunk)+1+2+len(w.entry) > maxChunk {
		w.flush(false)
	}
	w.chunk = appendItem(append(w.chunk, kind), w.entry)
	return w.err
}

func (w *Writer) flush(last bool) {
	if w.err != nil {
		return
	}
	nonce, ok := w.cipher.nonce(last)
	if !ok {
		w.err = ErrSnapshot
		return
	}
	head := uint32(len(w.chunk) + w.cipher.aead.Overhead())
	if last {
		head |= lastChunk
	}
	w.sealed = binary.BigEndian.AppendUint32(w.sealed[:0], head)
	w.sealed = w.cipher.aead.Seal(w.sealed, nonce[:], w.chunk, nil)
	w.chunk = w.chunk[:0]
	_, w.err = w.w.Write(w.sealed)
}
