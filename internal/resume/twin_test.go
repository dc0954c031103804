package resume

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/sallyport/sallyport/replay"
)

// twin reads a snapshot by docs/fleet.md 8.4 alone, with nothing of this package.
type twin struct {
	left  []byte
	texts []string
}

func (w *twin) take(n int) []byte {
	b := w.left[:n:n]
	w.left = w.left[n:]
	return b
}

func (w *twin) number(n int) (v uint64) {
	for _, b := range w.take(n) {
		v = v*256 + uint64(b)
	}
	return v
}

func (w *twin) item() []byte { return w.take(int(w.number(2))) }

// "A text is its length (2) and up to 3,072 bytes" docs/fleet.md 8.4
func (w *twin) text() string {
	n := int(w.number(2))
	if n != 65535 {
		return string(w.take(n))
	}
	b := w.take(16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// "A *shared* text is the number (2) of an earlier one in the snapshot, or 0 and a text"
// docs/fleet.md 8.4
func (w *twin) shared() string {
	if n := w.number(2); n > 0 {
		return w.texts[n-1]
	}
	w.texts = append(w.texts, w.text())
	return w.texts[len(w.texts)-1]
}

// window compares a window with what of, whose state it is, has seen:
// "bit k of word i says that highest - 64i - k has been seen" docs/fleet.md 8.4
func (w *twin) window(t *testing.T, of *replay.Window) *replay.Window {
	t.Helper()
	size, newest, highest := w.number(1)*64, w.number(1)*64, w.number(8)
	if size != replay.DefaultSize || newest != 256 {
		t.Errorf("a window of %d, of which %d are there", size, newest)
	}
	bits := w.take(int(newest / 8))
	for back := range newest {
		i, k := back/64, back%64
		seen := binary.BigEndian.Uint64(bits[i*8:])>>k&1 == 1
		if seen == of.Check(highest-back) {
			t.Errorf("number %d is said to be seen: %v", highest-back, seen)
		}
	}
	return of
}

func (w *twin) standing() Standing {
	return Standing{int64(w.number(8)), int64(w.number(8)), w.text(), w.text(), w.shared(), string(w.item())}
}

// session reads what was written of one, in so many bytes.
func (w *twin) session(t *testing.T, of *Session, length int) *Session {
	t.Helper()
	s, after := new(Session), len(w.left)-length
	flags := w.number(1)
	keyLen := 16 + int(flags>>3&1)*16
	s.HasCertificate, s.Binding, s.Reports, s.Bound, s.Confined = flags&1 != 0, byte(flags>>1&1), flags&16 != 0, flags>>5&1 == 1, flags>>7 == 1
	s.InKey, s.InIV, s.OutKey, s.OutIV = w.take(keyLen), w.take(4), w.take(keyLen), w.take(4)
	s.RecordNext, s.RecordFailed, s.Records = w.number(8), w.number(8), w.window(t, of.Records)
	address := w.item()
	ip, _ := netip.AddrFromSlice(address[:len(address)-2])
	s.Addr = netip.AddrPortFrom(ip, binary.BigEndian.Uint16(address[len(address)-2:]))
	s.Local, _ = netip.AddrFromSlice(w.item())
	s.ConnectionID, s.ID, s.Name = uint32(w.number(4)), uint32(w.number(4)), [16]byte(w.take(16))
	if s.Binding == 1 {
		s.Exporter = [32]byte(w.take(32))
	}
	if s.HasCertificate {
		s.Thumbprint = [32]byte(w.take(32))
	}
	if err := s.Network.UnmarshalBinary(w.item()); err != nil {
		t.Error(err)
	}
	if flags&64 != 0 {
		s.StepUp = uint8(w.number(1))
	}
	s.Sequence, s.Accepted, s.Window = w.number(8), w.number(8), w.window(t, of.Window)
	s.Standing, s.Epoch = w.standing(), uint32(w.number(4))
	s.In, s.Out = [16]byte(w.take(16)), [16]byte(w.take(16))
	s.Issuer, s.Scope, s.Platform, s.Build, s.Subject = w.shared(), w.shared(), w.shared(), w.shared(), w.text()
	if flags&4 != 0 {
		s.Next = &NextEpoch{[32]byte(w.take(32)), [32]byte(w.take(32)), w.standing()}
	}
	if len(w.left) > after {
		s.Ends = int64(w.number(8))
	}
	return s
}

// chunks opens all chunks of a snapshot, one behind the other.
func (w *twin) chunks(t *testing.T, file []byte) {
	t.Helper()
	header, chunks := file[:44], file[44:]
	if want := "sallyport snap 1\x01\x00\x00\x01"; string(header[:20]) != want {
		t.Fatalf("the header begins with %q", header[:20])
	}
	mac := func(key, data []byte) []byte {
		m := hmac.New(sha256.New, key)
		m.Write(data)
		return m.Sum(nil)
	}
	block, _ := aes.NewCipher(mac(mac(header, counting(1, 32)), []byte("sallyport v1 snapshot\x01")))
	aead, _ := cipher.NewGCM(block)
	for n := byte(0); len(chunks) > 0; n++ {
		length := int(binary.BigEndian.Uint32(chunks) & (1<<31 - 1))
		nonce := []byte{0, 0, 0, 0, 0, 0, 0, n, 0, 0, 0, chunks[0] >> 7}
		plain, err := aead.Open(nil, nonce, chunks[4:][:length], nil)
		if err != nil || len(plain) > 64<<10 || (chunks[0]>>7 == 1) != (len(chunks) == 4+length) {
			t.Fatalf("chunk %d: %v", n, err)
		}
		w.left = append(w.left, plain...)
		chunks = chunks[4+length:]
	}
}

// The format as it is written down. Its order of evaluation is that of the bytes.
func TestSnapshotTwin(t *testing.T) {
	list := sampleSessions(300)
	var w twin
	want := &Snapshot{ID: [16]byte(counting(1, 16)), Made: begin, Address: netip.MustParseAddrPort("192.0.2.1:7777"), Digests: [32]byte(counting(2, 32)), Clock: sampleClock, Sessions: list}
	for n := range list {
		want.Remembered = append(want.Remembered, sampleRemembered(n))
		want.Revoked = append(want.Revoked, sampleRevoked(n))
		want.Banned = append(want.Banned, sampleBanned(n))
		want.Live = append(want.Live, sampleLive(n))
	}
	w.chunks(t, rewrite(t, newRing(t, newTestKey(t, 1)), want))
	got := &Snapshot{ID: want.ID, Made: begin}
	for len(w.left) > 0 {
		kind, length, after := w.number(1), int(w.number(2)), len(w.left)
		switch kind {
		case 9:
			got.Sessions = append(got.Sessions, w.session(t, list[len(got.Sessions)], length))
		case 2:
			got.Remembered = append(got.Remembered, Remembered{
				w.number(8), uint32(w.number(4)), uint8(w.number(1)), uint32(w.number(4)), uint32(w.number(4)), int64(w.number(8)),
			})
		case 3:
			got.Revoked = append(got.Revoked, Revoked{[32]byte(w.take(32)), int64(w.number(8)), int64(w.number(8))})
		case 4:
			ban := Banned{Key: [32]byte(w.take(32)), Until: int64(w.number(8)), Reason: uint8(w.number(1))}
			if length > 41 {
				ban.Held = int64(w.number(8))
			}
			got.Banned = append(got.Banned, ban)
		case 5:
			seen := int64(w.number(8))
			addr, _ := netip.AddrFromSlice(w.take(length - 8))
			got.Live = append(got.Live, LiveAddress{addr, seen})
		case 8:
			a, _ := netip.AddrFromSlice(w.take(length - 2))
			got.Address = netip.AddrPortFrom(a, uint16(w.number(2)))
		case 7:
			got.Digests = [32]byte(w.take(32))
		case 11:
			got.Clock = Clock{int64(w.number(8)), int64(w.number(8))}
		}
		if after-len(w.left) != length {
			t.Fatalf("kind %d has %d bytes, and says %d", kind, after-len(w.left), length)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d sessions, %d remembered, %d revoked", len(got.Sessions), len(got.Remembered), len(got.Revoked))
	}
}
