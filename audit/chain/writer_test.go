package chain_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/chain"
)

// A process that is killed while it writes leaves a line without its end. The next one begins on a line of its own, and
// signs for what was there: nothing but statements of the writer is found, until somebody takes a line away.
func TestKilled(t *testing.T) {
	signer, public := keys(t)
	c := chain.Config{Keys: []ed25519.PublicKey{public}}
	for _, cut := range []int{1, 20, 400} { // bytes of the end
		var file bytes.Buffer
		synctest.Test(t, func(t *testing.T) {
			p := start(t, &file, signer)
			p.record(10)
			killed := file.Len() - cut
			p.Close()
			file.Truncate(killed)
			p = start(t, &file, signer)
			p.record(2)
			p.Close()
		})
		lines := slices.Collect(strings.Lines(file.String()))
		found, s := verify(t, c, file.String())
		kinds := short(found)
		if s.Faults() != 0 || !strings.Contains(kinds, "killed") {
			t.Errorf("%d bytes: %s", cut, texts(found))
		}
		// The last whole line of the first chain.
		at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"after"`) }) - 1
		for !strings.HasSuffix(lines[at], "}}}\n") {
			at--
		}
		found, _ = verify(t, c, strings.Join(slices.Delete(slices.Clone(lines), at, at+1), ""))
		if !strings.Contains(short(found), "missing ") {
			t.Errorf("%d bytes: the last line before is gone: %s", cut, texts(found))
		}
	}
}

// Where a line was cut off somebody puts a whole one that follows from the line before: nothing shows that
// the process has written it.
func TestForgedInPlaceOfTorn(t *testing.T) {
	signer, public := keys(t)
	c := chain.Config{Keys: []ed25519.PublicKey{public}}
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &file, signer)
		p.record(10)
		killed := file.Len() - 400
		p.Close()
		file.Truncate(killed)
		p = start(t, &file, signer)
		p.record(2)
		p.Close()
	})
	lines := slices.Collect(strings.Lines(file.String()))
	begin := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"after"`) })
	if found, s := verify(t, c, file.String()); s.Faults() != 0 || !strings.Contains(short(found), "torn") {
		t.Fatal(texts(found))
	}
	torn := begin - 1
	n := torn // number of the line before, which is its place in the file
	forged := strings.Replace(lines[n-1], fmt.Sprintf(`"sequence":%d`, n), fmt.Sprintf(`"sequence":%d`, n+1), 1)
	lines[torn] = forge(lines[n-1], strings.Replace(forged, `"severity_id":1`, `"severity_id":3`, 1))
	found, s := verify(t, c, strings.Join(lines, ""))
	if want := fmt.Sprintf("unsigned %d-%[1]d", n+1); s.Faults() == 0 || !strings.Contains(short(found), want) {
		t.Errorf("%s\nwant %s", texts(found), want)
	}
}

// "Two processes may append to one file: lines say which chain is theirs." The second begins while the first writes.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	signer, public := keys(t)
	path := filepath.Join(t.TempDir(), "audit")
	open := func() *audit.JSON {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		end, err := chain.Last(file, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		j, err := audit.NewJSON(file, audit.JSONConfig{PerSecond: -1, Chain: &audit.ChainConfig{Signer: signer, After: end}})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	const lines = 300
	first := open()
	for range lines {
		first.Record(audit.Event{Decision: audit.Accept})
	}
	var wg sync.WaitGroup
	for _, j := range []*audit.JSON{first, open()} {
		wg.Go(func() {
			for range lines {
				j.Record(audit.Event{Decision: audit.Renew})
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found, s := verify(t, chain.Config{Keys: []ed25519.PublicKey{public}}, string(text))
	if len(found) != 0 || s.Chains != 2 || s.Lines != 3*lines+4 {
		t.Errorf("%s, %+v", texts(found), s)
	}
}

// "A reader of the SIEM that has every line but in another order": it is whole, and one line less is found.
func TestAnyOrder(t *testing.T) {
	signer, public := keys(t)
	lines := log(t, signer)
	c := chain.Config{Keys: []ed25519.PublicKey{public}, AnyOrder: true}
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if found, s := verify(t, c, strings.Join(lines, "")); len(found) != 0 || s.Chains != 2 {
			t.Fatalf("shuffled: %s", texts(found))
		}
		if found, _ := verify(t, c, strings.Join(lines[1:], "")); len(found) == 0 {
			t.Fatalf("without %s", lines[0])
		}
		if found, _ := verify(t, c, strings.Join(lines, "")+lines[r.IntN(len(lines))]); !strings.Contains(short(found), "repeated") {
			t.Fatalf("one twice: %s", texts(found))
		}
		changed := slices.Clone(lines)
		changed[7] = strings.Replace(changed[7], `"severity_id":1`, `"severity_id":2`, 1)
		if found, _ := verify(t, c, strings.Join(changed, "")); !strings.Contains(short(found), "altered") && !strings.Contains(short(found), "signature") {
			t.Fatalf("changed: %s", texts(found))
		}
	}
}

// stubborn cuts off, refuses or claims to have refused the writes of which the number is in fail.
type stubborn struct {
	bytes.Buffer
	n    int
	fail []int
	keep int // bytes of a write that fails; negative for all but so many
}

var errFull = errors.New("disk full")

func (s *stubborn) Write(b []byte) (int, error) {
	s.n++
	if !slices.Contains(s.fail, s.n) {
		return s.Buffer.Write(b)
	}
	keep := min(s.keep, len(b))
	if keep < 0 {
		keep += len(b)
	}
	n, _ := s.Buffer.Write(b[:keep])
	return n, errFull
}

// "A process begins … another one behind a line that the writer has refused": a disk that was full for a while is no
// fault of the chain, and what it has cost is stated.
func TestWriterFails(t *testing.T) {
	signer, public := keys(t)
	for _, keep := range []int{0, 1, 20, -2, -1, 1 << 20} {
		for _, fail := range [][]int{{1}, {2}, {5}, {5, 6, 7, 8}, {2, 5, 6, 9}} {
			w := &stubborn{fail: fail, keep: keep}
			var lost uint64
			synctest.Test(t, func(t *testing.T) {
				j, err := audit.NewJSON(w, audit.JSONConfig{PerSecond: -1, Chain: &audit.ChainConfig{Signer: signer}})
				if err != nil {
					t.Fatal(err)
				}
				process{j, &w.Buffer}.record(20)
				if err := j.Close(); !errors.Is(err, errFull) {
					t.Errorf("Close: %v", err)
				}
				lost = j.Lost()
			})
			found, s := verify(t, chain.Config{Keys: []ed25519.PublicKey{public}}, w.String())
			if s.Lost != lost {
				t.Errorf("writes %v fail behind %d bytes: %d lost, %d stated", fail, keep, lost, s.Lost)
			}
			for _, f := range found {
				if f.Kind.Fault() {
					t.Errorf("writes %v fail behind %d bytes: %s", fail, keep, texts(found))
					break
				}
			}
		}
	}
}

// hung is a writer that waits until it is told to go on.
type hung struct {
	bytes.Buffer
	open chan struct{}
}

func (h *hung) Write(b []byte) (int, error) {
	<-h.open
	return h.Buffer.Write(b)
}

// "Lines that the queue … did not take are no lines of the chain: unmapped.lost of the next line states how many", and
// Record waits for nobody.
func TestLostIsStated(t *testing.T) {
	signer, public := keys(t)
	w := &hung{open: make(chan struct{})}
	synctest.Test(t, func(t *testing.T) {
		w.open = make(chan struct{})
		j, err := audit.NewJSON(w, audit.JSONConfig{Queue: 10, PerSecond: -1, Chain: &audit.ChainConfig{Signer: signer}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begin := time.Now()
		for range 25 {
			j.Record(audit.Event{Decision: audit.Accept})
		}
		if time.Now() != begin {
			t.Error("Record has waited")
		}
		close(w.open)
		synctest.Wait()
		j.Record(audit.Event{Decision: audit.Accept})
		j.Close()
		if j.Lost() != 15 {
			t.Errorf("%d lost", j.Lost())
		}
	})
	found, s := verify(t, chain.Config{Keys: []ed25519.PublicKey{public}}, w.String())
	if len(found) != 1 || found[0].Kind != chain.Lost || found[0].Events != 15 || found[0].From != 12 || s.Faults() != 0 {
		t.Errorf("%s", texts(found))
	}
	if !strings.Contains(w.String(), `"head":"end","lost":15,`) {
		t.Errorf("the end does not state 15 lost:\n%s", w)
	}
	if found, _ = verify(t, chain.Config{Keys: []ed25519.PublicKey{public}}, strings.Replace(w.String(), `"lost":15,"chain"`, `"lost":14,"chain"`, 1)); !strings.Contains(short(found), "altered 12") {
		t.Errorf("the statement is changed: %s", texts(found))
	}
}

// broken is a signer that fails.
type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the module is gone")
}

// "While it fails heads have no signature, and Close returns its error."
func TestSignerFails(t *testing.T) {
	signer, public := keys(t)
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &file, broken{signer})
		p.record(61)
		if err := p.Close(); err == nil || !strings.Contains(err.Error(), "the module is gone") || p.Lost() != 0 {
			t.Errorf("%v, %d lost", err, p.Lost())
		}
	})
	found, s := verify(t, chain.Config{Keys: []ed25519.PublicKey{public}}, file.String())
	if short(found) != "signature 1-1, signature 62-62, signature 64-64, open 64-64, unsigned 1-64" || s.Heads != 0 {
		t.Errorf("%s", texts(found))
	}
}

// A chain that another key has signed says so once.
func TestUnknownKey(t *testing.T) {
	signer, _ := keys(t)
	_, other := keys(t)
	found, _ := verify(t, chain.Config{Keys: []ed25519.PublicKey{other}}, strings.Join(log(t, signer)[:68], ""))
	if short(found) != "unknown key 1-1, open 68-68, unsigned 1-68" {
		t.Errorf("%s", texts(found))
	}
}

// Somebody who has the key of one server, and may write the files of another one, goes on with a chain of
// that one's from a line of his choice. All hashes and signatures are right, and all keys are known.
func TestAnotherServersKey(t *testing.T) {
	signer, public := keys(t)
	other, otherPublic := keys(t)
	c := chain.Config{Keys: []ed25519.PublicKey{public, otherPublic}}
	whole := log(t, signer)[:68]
	if found, _ := verify(t, c, strings.Join(whole, "")); len(found) != 0 {
		t.Fatal(texts(found))
	}
	for _, from := range []int{1, 30, 61, 62, 67} {
		lines := slices.Clone(whole)
		lines[from] = strings.Replace(lines[from], `"severity_id":1`, `"severity_id":3`, 1)
		for i := from; i < len(lines); i++ {
			lines[i] = forge(lines[i-1], lines[i])
			if head, _, ok := strings.Cut(lines[i], `,"signature":"`); ok {
				head = strings.Replace(head, chain.KeyID(public), chain.KeyID(otherPublic), 1)
				sig, err := other.Sign(nil, []byte("sallyport audit head v1\x00"+head), crypto.Hash(0))
				if err != nil {
					t.Fatal(err)
				}
				lines[i] = fmt.Sprintf("%s,\"signature\":\"%x\"}}}\n", head, sig)
			}
		}
		found, s := verify(t, c, strings.Join(lines, ""))
		if s.Faults() == 0 || !strings.Contains(short(found), "other key") {
			t.Errorf("from line %d: %s", from+1, texts(found))
		}
	}
	// A server that starts with a new key begins a chain with it.
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		for _, s := range []crypto.Signer{signer, other, signer} {
			p := start(t, &file, s)
			p.record(3)
			p.Close()
		}
	})
	if found, s := verify(t, c, file.String()); len(found) != 0 || s.Chains != 3 {
		t.Errorf("%s, %+v", texts(found), s)
	}
}

// The lines of a process that was killed have a signature from when the next one starts, in whatever
// order a SIEM has them.
func TestKilledInAnyOrder(t *testing.T) {
	signer, public := keys(t)
	c := chain.Config{Keys: []ed25519.PublicKey{public}, AnyOrder: true}
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &file, signer)
		p.record(30)
		killed := file.Len()
		p.Close()
		file.Truncate(killed)
		p = start(t, &file, signer)
		p.record(2)
		p.Close()
	})
	lines := slices.Collect(strings.Lines(file.String()))
	at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"after"`) })
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if found, s := verify(t, c, strings.Join(lines, "")); s.Faults() != 0 || short(found) != fmt.Sprintf("killed %d-%[1]d", at) {
			t.Fatalf("shuffled: %s", texts(found))
		}
	}
}

// The file before is named by the chain behind it.
func TestFileRemoved(t *testing.T) {
	signer, public := keys(t)
	c := chain.Config{Keys: []ed25519.PublicKey{public}}
	lines := log(t, signer)
	for cut, want := range map[int]string{68: "earlier 1-68", 40: "earlier 1-40"} {
		if found, _ := verify(t, c, strings.Join(lines[cut:], "")); short(found) != want {
			t.Errorf("behind %d: %s", cut, texts(found))
		}
	}
	if found, _ := verify(t, c, strings.Join(lines[:20], ""), strings.Join(lines[50:], "")); short(found) != "missing 21-50" {
		t.Errorf("one of three: %s", texts(found))
	}
}

// "once in a while, whether or not there are lines"
func TestMarks(t *testing.T) {
	signer, public := keys(t)
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &file, signer)
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if n := strings.Count(file.String(), `"head":"mark"`); n != 10 {
			t.Errorf("%d marks in 10 minutes", n)
		}
		p.Close()
	})
	if found, s := verify(t, chain.Config{Keys: []ed25519.PublicKey{public}}, file.String()); len(found) != 0 || s.Heads != 12 {
		t.Errorf("%s, %+v", texts(found), s)
	}
}
