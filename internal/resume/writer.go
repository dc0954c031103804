package resume

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// Writer writes a snapshot. What is written before Close is none yet: only the
// last chunk makes it one, and Close is to be called when the old process has
// stopped sending. A Writer serves one goroutine.
type Writer struct {
	w      io.Writer
	cipher chunkCipher
	names  shared
	chunk  []byte // entries to come
	entry  []byte
	sealed []byte
	err    error // of w, and what every later call returns
}

// NewWriter writes the header, with the key of the ring that seals; 16 bytes of
// random are the snapshot's id. The error matches fleetkey.ErrKey if there is no
// key, or is that of w or random.
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

// Add writes one session, of whose keys it keeps nothing after Close. A session that no reader
// would take is ErrSnapshot, and the snapshot goes on without it. Any other error
// is that of the writer below, and ends the snapshot.
func (w *Writer) Add(s *Session) error {
	if !s.coherent() {
		return ErrSnapshot
	}
	w.entry = s.appendTo(w.entry[:0], &w.names)
	return w.put(entrySession)
}

// Remember writes one thing that counts once. An error ends the snapshot.
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

// For writes the address of the server whose players these are, to be called at most
// once. A server without a UDP address has none. An error ends the snapshot.
func (w *Writer) For(a netip.AddrPort) error {
	if !a.IsValid() {
		return w.err
	}
	w.entry = binary.BigEndian.AppendUint16(append(w.entry[:0], a.Addr().AsSlice()...), a.Port())
	return w.put(entryAddress)
}

// Digests writes the key under which the keys of Remembered are made, not zero. It
// is to be called once. An error ends the snapshot.
func (w *Writer) Digests(key *[32]byte) error {
	w.entry = append(w.entry[:0], key[:]...)
	return w.put(entryDigests)
}

// Close writes the last chunk and forgets what was sealed. It does not close the
// writer below. After an error there is no snapshot.
func (w *Writer) Close() error {
	w.flush(true)
	clear(w.entry[:cap(w.entry)])
	clear(w.chunk[:cap(w.chunk)])
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
