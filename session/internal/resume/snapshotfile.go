package resume

import (
	"crypto/cipher"
	"encoding/binary"
	"io"
	"time"
)

// snapshotCipher seals or opens the chunks of one file, each once, in order.
type snapshotCipher struct {
	aead   cipher.AEAD
	chunks uint64
}

func newSnapshotCipher(keys *fleetKey, header []byte) (snapshotCipher, error) {
	aead, err := keys.cipher(header, "sallyport v1 snapshot")
	return snapshotCipher{aead: aead}, err
}

// nonce is that of the next chunk; it is false when a file is too long.
func (c *snapshotCipher) nonce(last bool) (nonce [12]byte, ok bool) {
	binary.BigEndian.PutUint64(nonce[:], c.chunks)
	nonce[11] = bits(last)
	c.chunks++
	return nonce, c.chunks <= maxSnapshotChunks
}

// snapshotWriter writes a snapshot file. After an error it stays useless. What
// is written before close is no snapshot yet: only the last chunk makes it one,
// and it is to be written when the old process has stopped sending.
type snapshotWriter struct {
	w      io.Writer
	cipher snapshotCipher
	names  shared
	chunk  []byte // entries to come
	entry  []byte
	sealed []byte
}

// newSnapshotWriter writes the header, with the key of the ring that seals. The
// error is errNoTicket if there is none, or that of w or random.
func newSnapshotWriter(w io.Writer, keys *FleetKeys, now time.Time, random io.Reader) (*snapshotWriter, error) {
	if !keys.Enabled() {
		return nil, errNoTicket
	}
	key := keys.first()[0].key()
	header := append(make([]byte, 0, snapshotHeader), snapshotMagic...)
	header = binary.BigEndian.AppendUint32(header, key.id)
	header = binary.BigEndian.AppendUint64(header, uint64(now.UnixMilli()))
	header = header[:snapshotHeader]
	if _, err := io.ReadFull(random, header[snapshotHeader-16:]); err != nil {
		return nil, err
	}
	c, err := newSnapshotCipher(key, header)
	if err != nil {
		return nil, errNoTicket
	}
	_, err = w.Write(header)
	return &snapshotWriter{w: w, cipher: c, names: shared{numbers: make(map[string]uint16)}}, err
}

// add writes one session. A session that no reader would take is errSnapshot,
// and the file goes on without it.
func (w *snapshotWriter) add(s *snapshot) error {
	if !s.coherent() {
		return errSnapshot
	}
	w.entry = s.appendTo(w.entry[:0], &w.names)
	return w.put(entrySession)
}

// addUsed writes one thing that counts once; kind is entryUsedToken or
// entryUsedTicket.
func (w *snapshotWriter) addUsed(kind byte, e usedEntry) error {
	w.entry = binary.BigEndian.AppendUint64(append(w.entry[:0], e.key[:]...), uint64(e.expires))
	return w.put(kind)
}

// put adds w.entry to the chunk, after sealing the one that is full.
func (w *snapshotWriter) put(kind byte) error {
	if len(w.chunk)+1+2+len(w.entry) > snapshotChunk {
		if err := w.flush(false); err != nil {
			return err
		}
	}
	w.chunk = appendItem(append(w.chunk, kind), w.entry)
	return nil
}

// close writes the last chunk and forgets what was sealed. It does not close
// the writer below.
func (w *snapshotWriter) close() error {
	err := w.flush(true)
	clear(w.entry[:cap(w.entry)])
	clear(w.chunk[:cap(w.chunk)])
	return err
}

func (w *snapshotWriter) flush(last bool) error {
	nonce, ok := w.cipher.nonce(last)
	if !ok {
		return errSnapshot
	}
	head := uint32(len(w.chunk) + w.cipher.aead.Overhead())
	if last {
		head |= snapshotLast
	}
	w.sealed = binary.BigEndian.AppendUint32(w.sealed[:0], head)
	w.sealed = w.cipher.aead.Seal(w.sealed, nonce[:], w.chunk, nil)
	w.chunk = w.chunk[:0]
	_, err := w.w.Write(w.sealed)
	return err
}

// snapshotFile is what a file holds.
type snapshotFile struct {
	id              [16]byte // to be remembered for snapshotLife: the same file is refused a second time
	sessions        []*snapshot
	tokens, tickets []usedEntry
	names           shared
}

// readSnapshot reads a whole file, for up to snapshotLife after it was made.
// Its caller has made sure that nobody else reads it, by removing it first, and
// asks whether it knows the id. The error is errSnapshot, and then there is no
// file: one session of it restored beside a process that still runs would use
// nonces twice.
func readSnapshot(r io.Reader, keys *FleetKeys, now time.Time) (*snapshotFile, error) {
	var header [snapshotHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, errSnapshot
	}
	u := unpacker{left: header[:]}
	u.require(string(u.take(len(snapshotMagic))) == snapshotMagic)
	key := keys.find(u.uint32())
	age := now.UnixMilli() - int64(u.uint64())
	if u.bad || key == nil || age < 0 || age > snapshotLife.Milliseconds() {
		return nil, errSnapshot
	}
	c, err := newSnapshotCipher(key, header[:])
	if err != nil {
		return nil, errSnapshot
	}
	f := new(snapshotFile)
	u.fill(f.id[:])
	if !f.read(r, &c) {
		return nil, errSnapshot
	}
	return f, nil
}

// read reads all chunks and makes sure that nothing follows the last.
func (f *snapshotFile) read(r io.Reader, c *snapshotCipher) bool {
	buf := make([]byte, snapshotChunk+c.aead.Overhead())
	defer clear(buf)
	for last := false; !last; {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return false
		}
		n := binary.BigEndian.Uint32(head[:])
		last = n&snapshotLast != 0
		nonce, ok := c.nonce(last)
		if n &^= snapshotLast; !ok || n > uint32(len(buf)) {
			return false
		}
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return false
		}
		chunk, err := c.aead.Open(buf[:0], nonce[:], buf[:n], nil)
		if err != nil || !f.parse(chunk) {
			return false
		}
	}
	_, err := io.ReadFull(r, make([]byte, 1))
	return err == io.EOF
}

// parse reads the entries of one chunk.
func (f *snapshotFile) parse(chunk []byte) bool {
	for u := (unpacker{left: chunk}); !u.done(); {
		kind, content := u.uint8(), u.item()
		if u.bad || !f.entry(kind, content) {
			return false
		}
	}
	return true
}

func (f *snapshotFile) entry(kind byte, content []byte) (ok bool) {
	switch kind {
	case entrySession:
		var s *snapshot
		s, ok = parseSnapshot(content, &f.names)
		f.sessions = append(f.sessions, s)
	case entryUsedToken:
		f.tokens, ok = appendUsed(f.tokens, content)
	case entryUsedTicket:
		f.tickets, ok = appendUsed(f.tickets, content)
	}
	return ok
}

func appendUsed(list []usedEntry, content []byte) ([]usedEntry, bool) {
	u := unpacker{left: content}
	var e usedEntry
	u.fill(e.key[:])
	e.expires = int64(u.uint64())
	return append(list, e), u.done()
}
