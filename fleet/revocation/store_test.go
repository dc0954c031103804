package revocation

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// storePublisher opens a publisher as of a time.
func storePublisher(t *testing.T, dir string, key SigningKey, now time.Time) *Publisher {
	t.Helper()
	config, err := PublisherConfig{Key: key, Dir: dir, Carrier: modelCarrier{&world{away: true}}}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPublisher(config, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func oneToken(i int) Record { return Record{Kind: KindToken, Issuer: "issuer", Value: strconv.Itoa(i)} }

// tokensOf returns the values of what a publisher keeps.
func tokensOf(p *Publisher) (out []string) {
	_ = p.segments(0, func(m []byte) error {
		s, _ := parseSegment(m)
		s.records(func(r *Record) { out = append(out, r.Value) })
		return nil
	})
	return out
}

// "A torn tail is found and cut": a crash may leave any part of the last write, and what had been
// confirmed before is there, and nothing else.
func TestTornTail(t *testing.T) {
	t.Parallel()
	key, now := GenerateSigningKey(), time.Now()
	dir := fastDir(t)
	p := storePublisher(t, dir, key, now)
	for i := range 3 {
		if _, err := p.append(now, []Record{oneToken(i)}); err != nil {
			t.Fatal(err)
		}
	}
	before := p.store.size
	if _, err := p.append(now, []Record{oneToken(3), oneToken(4)}); err != nil {
		t.Fatal(err)
	}
	if err := p.store.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, storeFile))
	if err != nil {
		t.Fatal(err)
	}
	for cut := before; cut <= int64(len(whole)); cut++ {
		for _, garbage := range []bool{false, true} {
			file := bytes.Clone(whole[:cut])
			if garbage && cut < int64(len(whole)) { // blocks that were not written are zero
				file = append(file, make([]byte, int64(len(whole))-cut)...)
			}
			dir := fastDir(t)
			if err := os.WriteFile(filepath.Join(dir, storeFile), file, 0o600); err != nil {
				t.Fatal(err)
			}
			p := storePublisher(t, dir, key, now)
			want, complete := "0 1 2", bytes.Equal(file, whole) // the last byte of a signature is zero once in 16 times
			if complete {
				want = "0 1 2 3 4"
			}
			if got := strings.Join(tokensOf(p), " "); got != want {
				t.Fatalf("cut at %d of %d: %s", cut, len(whole), got)
			}
			_, err := os.Stat(filepath.Join(dir, damagedFile))
			if torn := !complete && (garbage || cut != before); torn != (err == nil) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if _, err := p.append(now, []Record{oneToken(5)}); err != nil {
				t.Fatal(err)
			}
			if err := p.store.close(); err != nil {
				t.Fatal(err)
			}
			_ = os.RemoveAll(dir)
		}
	}
}

// A flipped bit anywhere costs what comes behind it and nothing before, and the publisher goes on in
// a new epoch.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	key, now := GenerateSigningKey(), time.Now()
	dir := fastDir(t)
	p := storePublisher(t, dir, key, now)
	for i := range 4 {
		if _, err := p.append(now, []Record{oneToken(i)}); err != nil {
			t.Fatal(err)
		}
	}
	epoch := p.epoch
	_ = p.store.close()
	file := filepath.Join(dir, storeFile)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 7 {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		p := storePublisher(t, dir, key, now)
		if got := strings.Join(tokensOf(p), " "); !strings.HasPrefix("0 1 2 3", got) || len(got) > 5 {
			t.Fatalf("bit at %d: %q", at, got)
		}
		if at > len(storeMagic)+frameSize+16 && p.epoch <= epoch {
			t.Fatalf("bit at %d: epoch %d, before %d", at, p.epoch, epoch)
		}
		_ = p.store.close()
	}
}

// A store that cannot be written refuses, and publishes nothing.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	key, now := GenerateSigningKey(), time.Now()
	p := storePublisher(t, fastDir(t), key, now)
	if _, err := p.append(now, []Record{oneToken(0)}); err != nil {
		t.Fatal(err)
	}
	last := p.history.last
	_ = p.store.file.Close() // as if the disk were gone
	if segments, err := p.append(now, []Record{oneToken(1)}); !errors.Is(err, ErrStore) || len(segments) != 0 || p.history.last != last {
		t.Errorf("%d segments, %v, last %d", len(segments), err, p.history.last)
	}
	if err := p.Close(); err == nil {
		t.Error("Close says nothing")
	}
}

// The store is written anew when half of it is not needed any more, and what has expired is
// forgotten; what has not is kept, whatever was appended meanwhile.
func TestCompaction(t *testing.T) {
	t.Parallel()
	key, now, dir := GenerateSigningKey(), time.Now(), fastDir(t)
	p := storePublisher(t, dir, key, now)
	add := func(r ...Record) {
		t.Helper()
		if _, err := p.append(now, r); err != nil {
			t.Fatal(err)
		}
	}
	short := now.Add(time.Minute)
	for i := range 300 {
		var r []Record
		for j := range 100 {
			r = append(r, oneToken(100*i+j))
			r[j].Until, r[j].Value = short, strings.Repeat("x", 50)+r[j].Value
		}
		add(r...)
	}
	add(oneToken(-1), Record{Kind: KindBan, Issuer: "issuer", Value: "lifted"})
	add(Record{Kind: KindLift, Issuer: "issuer", Value: "lifted"}, Record{Kind: KindBan, Issuer: "issuer", Value: "banned"})
	size := p.store.size
	now = now.Add(time.Minute)
	if err := p.compact(now); err != nil {
		t.Fatal(err)
	}
	if n := len(p.history.kept); n > 33 || p.Stats().Records != 30_003 {
		t.Errorf("%d segments, %+v", n, p.Stats())
	}
	for range 30 { // nothing more to do
		kept := len(p.history.kept)
		if err := p.compact(now); err != nil || len(p.history.kept) != kept {
			t.Fatal(err, len(p.history.kept))
		}
	}
	now = now.Add(clockMargin + time.Second)
	if err := p.compact(now); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(tokensOf(p), " "); got != "-1 lifted banned" { // the lift of "lifted", and no ban
		t.Errorf("kept: %s", got)
	}
	add(oneToken(-2))
	if p.store.size > size/2 {
		t.Errorf("%d bytes, before %d", p.store.size, size)
	}
	_ = p.store.close()
	p = storePublisher(t, dir, key, now)
	if got := strings.Join(tokensOf(p), " "); got != "-1 lifted banned -2" {
		t.Errorf("kept: %s", got)
	}
	_ = p.store.close()
}

// A history of more issuers than one segment holds is signed anew at each start, too: none of its
// segments is left in an epoch that a head does not list any more.
func TestManyIssuers(t *testing.T) {
	t.Parallel()
	key, now, dir := GenerateSigningKey(), time.Now(), fastDir(t)
	for start := range maxBranches + 2 {
		p := storePublisher(t, dir, key, now)
		for i := range 2 * maxIssuers {
			if start > 0 {
				break
			}
			r := Record{Kind: KindToken, Issuer: fmt.Sprint("issuer ", i), Value: "token"}
			if _, err := p.append(now, []Record{r}); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range p.history.kept {
			if s, ok := parseSegment(k.bytes); start > 0 && (!ok || s.epoch != p.epoch) {
				t.Fatalf("start %d: a segment of epoch %d in epoch %d", start, s.epoch, p.epoch)
			}
		}
		if err := p.store.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A store that is damaged is whole again or as it was, whenever the process that opens it ends.
func TestDamagedStoreKeepsItsName(t *testing.T) {
	t.Parallel()
	key, now, dir := GenerateSigningKey(), time.Now(), fastDir(t)
	p := storePublisher(t, dir, key, now)
	if _, err := p.append(now, []Record{oneToken(0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.store.file.Write([]byte("torn")); err != nil {
		t.Fatal(err)
	}
	if err := p.store.close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time, what was put aside is there already
		st, _, segments, damaged, err := openStore(dir)
		if err != nil || damaged == 0 || len(segments) != 1 {
			t.Fatalf("%d segments, %d bytes damaged, %v", len(segments), damaged, err)
		}
		if err := st.keepDamaged(); err != nil {
			t.Fatal(err)
		}
		_ = st.close() // the process ends here
	}
	p = storePublisher(t, dir, key, now)
	defer p.store.close()
	if p.history.last != 1 {
		t.Errorf("%d records", p.history.last)
	}
}

// What is appended is in the file that has the name, also if the disk has not confirmed that name.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	key, now, dir := GenerateSigningKey(), time.Now(), fastDir(t)
	p := storePublisher(t, dir, key, now)
	f, err := p.store.begin(p.frames())
	if err != nil {
		t.Fatal(err)
	}
	_ = p.store.opened.Close() // as if the disk were gone
	if err := p.store.finish(f, nil); !errors.Is(err, ErrStore) {
		t.Errorf("%v", err)
	}
	if _, err := p.append(now, []Record{oneToken(1)}); err == nil {
		p.store.opened = nil
		_ = p.store.close()
		st, _, segments, _, _ := openStore(dir)
		defer st.close()
		if len(segments) != 1 {
			t.Error("what was appended is not in the file")
		}
	} else if !errors.Is(err, ErrStore) {
		t.Error(err)
	}
}
