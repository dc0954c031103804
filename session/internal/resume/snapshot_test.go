package resume

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/replay"
	"github.com/sallyport/sallyport/wire"
)

// sampleSnapshot is a player as one comes from Amazon Cognito; every other one by IPv6, with 256-bit keys and a client
// certificate, every fourth in binding mode none, every tenth in the middle of a renewal.
func sampleSnapshot(n int) *snapshot {
	keyLen := 16 + n%2*16
	s := &snapshot{
		addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 40000), hint: uint32(n), suite: 0xc02b,
		inKey: counting(1, keyLen), inIV: counting(2, 4), outKey: counting(3, keyLen), outIV: counting(4, 4),
		recordNext: 1<<20 + snapshotSkip, recordFailed: 3, records: replay.NewWindow(replay.DefaultSize), id: uint32(n + 1),
		name: [16]byte(counting(5, 16)), binding: wire.BindingExporter, channel: channel{Exporter: [32]byte(counting(6, 32))},
		network: netip.MustParsePrefix("192.0.2.0/24"), fingerprint: phone,
		issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123", subject: uuid(n), scope: "match-7",
		sequence: 1<<20 + snapshotSkip, window: replay.NewWindow(replay.DefaultSize), standing: sampleStanding(n), epoch: 9,
		in: [16]byte(counting(7, 16)), out: [16]byte(counting(8, 16)),
	}
	for seq := range uint64(1000) {
		if seq%17 != 0 {
			s.records.Accept(seq)
			s.window.Accept(seq)
		}
	}
	if n%2 == 1 {
		s.addr = netip.MustParseAddrPort("[2001:db8::7]:40000")
		s.network = netip.MustParsePrefix("2001:db8::/56")
		s.suite, s.channel.HasCertificate, s.channel.Thumbprint = 0xc02c, true, [32]byte(counting(9, 32))
	}
	if n%4 == 3 {
		s.binding, s.channel.Exporter = wire.BindingNone, [32]byte{}
	}
	if n%10 == 9 {
		s.next = &nextEpoch{[32]byte(counting(10, 32)), [32]byte(counting(11, 32)), sampleStanding(n + 1)}
	}
	return s
}

func uuid(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-1a2b3c4d5e6f", n) }

func sampleStanding(n int) standing {
	return standing{begin.Add(tokenLife).UnixMilli(), uuid(n + 1<<20), uuid(n + 1<<21), strings.Repeat("k", 44)}
}

// written is what a reader has of s: of the windows, the newest numbers.
func written(t testing.TB, s *snapshot) *snapshot {
	t.Helper()
	c := *s
	for _, w := range []**replay.Window{&c.records, &c.window} {
		var err error
		if *w, _, err = replay.ParseState((*w).AppendTo(nil, snapshotWindow)); err != nil {
			t.Fatal(err)
		}
	}
	return &c
}

func writeSnapshot(t testing.TB, keys *FleetKeys, id byte, sessions ...*snapshot) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := newSnapshotWriter(&file, keys, begin, bytes.NewReader(counting(id, 16)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		if err := w.add(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func sampleSnapshots(n int) (list []*snapshot) {
	for i := range n {
		list = append(list, sampleSnapshot(i))
	}
	return list
}

func TestSnapshot(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	for _, n := range []int{0, 1, 2, 10, 300} { // 300 take more than one chunk
		list := sampleSnapshots(n)
		file := writeSnapshot(t, ring, byte(n), list...)
		got, err := readSnapshot(bytes.NewReader(file), ring, begin)
		if err != nil || len(got.sessions) != n || got.id != [16]byte(counting(byte(n), 16)) {
			t.Fatalf("%d sessions: %+v, %v", n, got, err)
		}
		for i, s := range list {
			if want := written(t, s); !reflect.DeepEqual(got.sessions[i], want) {
				t.Errorf("session %d of %d:\n%+v, want\n%+v", i, n, got.sessions[i], want)
			}
		}
	}
}

// The memory of what counts once goes with the sessions.
func TestSnapshotUsed(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	var file bytes.Buffer
	w, err := newSnapshotWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	var want snapshotFile
	for n := range 3000 {
		e := usedEntry{sha256.Sum256([]byte{byte(n), byte(n >> 8)}), begin.Add(time.Duration(n) * time.Second).UnixMilli()}
		kind, list := byte(entryUsedToken), &want.tokens
		if n%3 == 0 {
			kind, list = entryUsedTicket, &want.tickets
		}
		*list = append(*list, e)
		if err := w.addUsed(kind, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	got, err := readSnapshot(&file, ring, begin)
	if err != nil || !reflect.DeepEqual(got.tokens, want.tokens) || !reflect.DeepEqual(got.tickets, want.tickets) {
		t.Errorf("%d tokens, %d tickets, %v", len(got.tokens), len(got.tickets), err)
	}
}

// A session takes at most 512 bytes, with the default window and names of Amazon Cognito.
func TestSnapshotSize(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	var plain, heavy, all []*snapshot
	for n := range 1000 {
		s := sampleSnapshot(n)
		all = append(all, s)
		if s.next != nil {
			continue
		}
		if plain = append(plain, sampleSnapshot(n&^1)); n%4 == 1 {
			heavy = append(heavy, s)
		}
	}
	for _, c := range []struct {
		name string
		list []*snapshot
	}{{"IPv4, 128 bits", plain}, {"IPv6, 256 bits, certificate", heavy}, {"mixed, a tenth renewing", all}} {
		per := len(writeSnapshot(t, ring, 1, c.list...)) / len(c.list)
		if t.Logf("%s: %d bytes a session", c.name, per); per > 512 {
			t.Errorf("%s: %d bytes a session", c.name, per)
		}
	}
}

// The format as it is written down, read with nothing of this package.
func TestSnapshotTwin(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	list := sampleSnapshots(300)
	file := writeSnapshot(t, ring, 0x60, list...)
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
	sessions := 0
	for n := byte(0); len(chunks) > 0; n++ {
		length := int(binary.BigEndian.Uint32(chunks) & (1<<31 - 1))
		nonce := []byte{0, 0, 0, 0, 0, 0, 0, n, 0, 0, 0, chunks[0] >> 7}
		plain, err := aead.Open(nil, nonce, chunks[4:][:length], nil)
		if err != nil || len(plain) > 64<<10 || (chunks[0]>>7 == 1) != (len(chunks) == 4+length) {
			t.Fatalf("chunk %d: %v", n, err)
		}
		for chunks = chunks[4+length:]; len(plain) > 0; sessions++ {
			plain = plain[3+int(binary.BigEndian.Uint16(plain[1:])):]
		}
	}
	if sessions != len(list) {
		t.Errorf("%d sessions", sessions)
	}
}

func refusedSnapshot(t *testing.T, name string, keys *FleetKeys, now time.Time, file []byte) {
	t.Helper()
	if f, err := readSnapshot(bytes.NewReader(file), keys, now); !errors.Is(err, errSnapshot) || f != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestSnapshotRefused(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1), newTestKey(t, 2))
	one := writeSnapshot(t, ring, 1, sampleSnapshot(1))
	for i := range one {
		b := bytes.Clone(one)
		b[i] ^= 1
		refusedSnapshot(t, fmt.Sprintf("byte %d", i), ring, begin, b)
		refusedSnapshot(t, fmt.Sprintf("%d bytes", i), ring, begin, one[:i])
	}
	refusedSnapshot(t, "longer", ring, begin, append(bytes.Clone(one), 0))
	refusedSnapshot(t, "twice", ring, begin, append(bytes.Clone(one), one...))
	refusedSnapshot(t, "other key", newRing(t, newTestKey(t, 2)), begin, one)
	refusedSnapshot(t, "no key", nil, begin, one)
	for age, refused := range map[time.Duration]bool{
		-time.Millisecond: true, 0: false, snapshotLife: false, snapshotLife + time.Millisecond: true,
	} {
		if _, err := readSnapshot(bytes.NewReader(one), ring, begin.Add(age)); (err != nil) != refused {
			t.Errorf("%v old: %v", age, err)
		}
	}
}

// Chunks stand in their file, in their place.
func TestSnapshotChunks(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	list := sampleSnapshots(500)
	file, other := writeSnapshot(t, ring, 1, list...), writeSnapshot(t, ring, 2, list...)
	header := file[:snapshotHeader]
	chunks, foreign := cutChunks(file), cutChunks(other)
	if len(chunks) < 3 {
		t.Fatalf("%d chunks", len(chunks))
	}
	last := chunks[len(chunks)-1]
	marked := bytes.Clone(chunks[0])
	marked[0] |= 0x80
	unmarked := bytes.Clone(last)
	unmarked[0] &^= 0x80
	long := binary.BigEndian.AppendUint32(nil, snapshotLast|(snapshotChunk+17))
	for name, order := range map[string][][]byte{
		"no chunk":            {},
		"last missing":        chunks[:len(chunks)-1],
		"last alone":          {last},
		"first missing":       chunks[1:],
		"one missing":         {chunks[0], last},
		"swapped":             append([][]byte{chunks[1], chunks[0]}, chunks[2:]...),
		"repeated":            append([][]byte{chunks[0]}, chunks...),
		"of another file":     append([][]byte{foreign[0]}, chunks[1:]...),
		"marked as last":      {marked},
		"last not marked":     append(append([][]byte(nil), chunks[:len(chunks)-1]...), unmarked),
		"something follows":   append(append([][]byte(nil), chunks...), chunks[0]),
		"longer than a chunk": {long, make([]byte, snapshotChunk+17)},
	} {
		refusedSnapshot(t, name, ring, begin, append(bytes.Clone(header), bytes.Join(order, nil)...))
	}
	if _, err := readSnapshot(bytes.NewReader(append(bytes.Clone(header), bytes.Join(chunks, nil)...)), ring, begin); err != nil {
		t.Error(err)
	}
}

func cutChunks(file []byte) (chunks [][]byte) {
	for rest := file[snapshotHeader:]; len(rest) > 0; {
		n := 4 + int(binary.BigEndian.Uint32(rest)&^snapshotLast)
		chunks = append(chunks, rest[:n])
		rest = rest[n:]
	}
	return chunks
}

// What no live session is like is not written, and the file goes on without it.
func TestSnapshotIncoherent(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	long := strings.Repeat("x", maxSnapshotText+1)
	var file bytes.Buffer
	w, err := newSnapshotWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*snapshot){
		"key of 17":      func(s *snapshot) { s.inKey = counting(1, 17) },
		"keys differ":    func(s *snapshot) { s.outKey = counting(1, 32) },
		"IV of 5":        func(s *snapshot) { s.outIV = counting(1, 5) },
		"no window":      func(s *snapshot) { s.window = nil },
		"no records":     func(s *snapshot) { s.records = nil },
		"no address":     func(s *snapshot) { s.addr = netip.AddrPort{} },
		"zone":           func(s *snapshot) { s.addr = netip.MustParseAddrPort("[fe80::1%eth0]:1") },
		"id 0":           func(s *snapshot) { s.id = 0 },
		"epoch 0":        func(s *snapshot) { s.epoch = 0 },
		"binding":        func(s *snapshot) { s.binding = 2 },
		"issuer":         func(s *snapshot) { s.issuer = "" },
		"subject":        func(s *snapshot) { s.subject = "" },
		"long subject":   func(s *snapshot) { s.subject = long },
		"long build":     func(s *snapshot) { s.fingerprint.Build = long },
		"no token id":    func(s *snapshot) { s.standing.tokenID = "" },
		"long sign-in":   func(s *snapshot) { s.standing.signIn = long },
		"no expiry":      func(s *snapshot) { s.standing.expires = 0 },
		"no next expiry": func(s *snapshot) { s.next = new(nextEpoch) },
	} {
		s := sampleSnapshot(0)
		change(s)
		if err := w.add(s); !errors.Is(err, errSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := sampleSnapshot(9)
	longest.subject, longest.fingerprint.Build = long[1:], long[1:]
	longest.window, longest.records = replay.NewWindow(replay.MaxSize), replay.NewWindow(replay.MinSize)
	if err := errors.Join(w.add(longest), w.close()); err != nil {
		t.Fatal(err)
	}
	f, err := readSnapshot(&file, ring, begin)
	if err != nil || len(f.sessions) != 1 || !reflect.DeepEqual(f.sessions[0], written(t, longest)) {
		t.Errorf("%+v, %v", f, err)
	}
	longest.wipe()
	for _, b := range [][]byte{longest.inKey, longest.outKey, longest.channel.Exporter[:], longest.in[:], longest.out[:], longest.next.secret[:]} {
		if len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("%x is still there", b)
		}
	}
}

// More texts than there are numbers: the rest is written each time.
func TestSnapshotShared(t *testing.T) {
	out, in := shared{numbers: map[string]uint16{}}, shared{}
	var b []byte
	for n := range maxShared + 100 {
		b = out.append(b, fmt.Sprint(n))
	}
	for n := range maxShared + 100 {
		b = out.append(b, fmt.Sprint(n))
	}
	u := unpacker{left: b}
	for n := range 2 * (maxShared + 100) {
		if got, want := in.parse(&u), fmt.Sprint(n%(maxShared+100)); got != want {
			t.Fatalf("text %d is %q", n, got)
		}
	}
	if !u.done() || len(in.texts) != maxShared || len(out.numbers) != maxShared {
		t.Errorf("%d bytes left, %d and %d texts", len(u.left), len(in.texts), len(out.numbers))
	}
	for known := range 3 { // a number that stands for nothing yet
		u = unpacker{left: []byte{0, byte(known + 1)}}
		if text := (&shared{texts: make([]string, known)}).parse(&u); text != "" || !u.bad {
			t.Errorf("number %d of %d is %q", known+1, known, text)
		}
	}
}

// A file has at most so many chunks: neither a reader nor a writer goes on.
func TestSnapshotLength(t *testing.T) {
	var c snapshotCipher
	for n := range maxSnapshotChunks + 1 {
		if nonce, ok := c.nonce(false); ok != (n < maxSnapshotChunks) || binary.BigEndian.Uint64(nonce[:]) != uint64(n) {
			t.Fatalf("chunk %d: %x, %v", n, nonce, ok)
		}
	}
}

type failing struct{ left int }

func (f *failing) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

// A writer that fails is heard of, wherever it fails.
func TestSnapshotWriteErrors(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	for writes := range 5 {
		w, err := newSnapshotWriter(&failing{writes}, ring, begin, bytes.NewReader(counting(1, 16)))
		for n := 0; err == nil && n < 300; n++ {
			err = w.add(sampleSnapshot(n))
		}
		if err == nil {
			err = w.close()
		}
		if (err == nil) != (writes == 4) { // header and three chunks
			t.Errorf("%d writes: %v", writes, err)
		}
	}
	if _, err := newSnapshotWriter(new(bytes.Buffer), ring, begin, bytes.NewReader(nil)); err == nil {
		t.Error("an id without randomness")
	}
	if _, err := newSnapshotWriter(new(bytes.Buffer), nil, begin, bytes.NewReader(counting(1, 16))); !errors.Is(err, errNoTicket) {
		t.Errorf("without a key: %v", err)
	}
}

// FuzzSnapshot takes its input as a chunk's entries, and as a file: what parses is written and read again the same,
// and no file of somebody else's opens.
func FuzzSnapshot(f *testing.F) {
	ring := newRing(f, newTestKey(f, 1))
	for n := range 10 {
		names := shared{numbers: map[string]uint16{}}
		entry := sampleSnapshot(n).appendTo(nil, &names)
		chunk := appendItem([]byte{entrySession}, entry)
		again := sampleSnapshot(n+1).appendTo(nil, &names)
		f.Add(chunk)
		f.Add(appendItem(append(chunk, entrySession), again))
	}
	f.Add(appendItem([]byte{entryUsedToken}, counting(0, 40)))
	f.Add(writeSnapshot(f, newRing(f, newTestKey(f, 2)), 1, sampleSnapshot(1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readSnapshot(bytes.NewReader(b), ring, begin); !errors.Is(err, errSnapshot) {
			t.Fatalf("%x: %v", b, err)
		}
		var file snapshotFile
		if !file.parse(b) {
			return
		}
		for _, s := range file.sessions {
			if !s.coherent() {
				t.Fatalf("%+v", s)
			}
		}
		again, err := readSnapshot(bytes.NewReader(writeSnapshot(t, ring, 1, file.sessions...)), ring, begin)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range file.sessions {
			if want := written(t, s); !reflect.DeepEqual(again.sessions[i], want) {
				t.Fatalf("%+v comes back as %+v", want, again.sessions[i])
			}
		}
	})
}

// 10,000 sessions are to be handed over within a second.
func BenchmarkSnapshot(b *testing.B) {
	ring := newRing(b, newTestKey(b, 1))
	list := sampleSnapshots(10_000)
	size := 0
	for b.Loop() {
		file := writeSnapshot(b, ring, 1, list...)
		f, err := readSnapshot(bytes.NewReader(file), ring, begin)
		if err != nil || len(f.sessions) != len(list) {
			b.Fatal(err)
		}
		size = len(file)
	}
	b.ReportMetric(float64(size)/float64(len(list)), "bytes/session")
}
