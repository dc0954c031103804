package record

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/replay"
)

// next hands a connection over to another Conn.
func next(t *testing.T, c *Conn, change func(*State)) (*Conn, error) {
	t.Helper()
	st, ok := c.State()
	if !ok {
		t.Fatal("no state")
	}
	window, _, _ := replay.ParseState(st.Window.AppendTo(nil, replay.DefaultSize))
	st.Window = &window
	if change != nil {
		change(&st)
	}
	after := new(Conn)
	return after, after.Restore(&st)
}

// A connection goes on in another process, in every suite: what was sealed before opens after, nothing opens twice, and
// no nonce comes again.
func TestStateGoesOn(t *testing.T) {
	for _, suite := range suites {
		client, server := pair(t, suite, 1)
		nonces := map[uint64]bool{}
		tell := func(text string) {
			t.Helper()
			rec := seal(t, server, text)
			if nonces[nonceOf(rec)] {
				t.Fatalf("%v: nonce %x comes again", suite, nonceOf(rec))
			}
			nonces[nonceOf(rec)] = true
			open(t, client, rec, text)
		}
		for i := range 3 {
			tell(fmt.Sprint("before ", i))
			seen, late := seal(t, client, "seen"), seal(t, client, "late")
			open(t, server, seen, "seen")
			forged := append([]byte(nil), late...)
			forged[len(forged)-1] ^= 1
			refused(t, server, "forged", forged)
			failed, sealed := server.FailedOpens(), server.Sealed()
			var err error
			if server, err = next(t, server, nil); err != nil {
				t.Fatal(err)
			}
			if server.FailedOpens() != failed || server.Sealed() != sealed {
				t.Errorf("%v: %d failed, %d sealed; want %d, %d", suite, server.FailedOpens(), server.Sealed(), failed, sealed)
			}
			refused(t, server, "seen before", seen)
			open(t, server, late, "late")
			tell(fmt.Sprint("after ", i))
		}
	}
}

// What no Conn can be in is not restored, and what is used up is not handed over.
func TestStateRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*State)
		want   error
	}{
		"keys of 17 bytes":   {func(s *State) { s.InKey, s.OutKey = make([]byte, 17), make([]byte, 17) }, ErrSecrets},
		"keys that differ":   {func(s *State) { s.OutKey = make([]byte, 32) }, ErrSecrets},
		"no key":             {func(s *State) { s.InKey, s.OutKey = nil, nil }, ErrSecrets},
		"IV of 3 bytes":      {func(s *State) { s.InIV = s.InIV[:3] }, ErrSecrets},
		"IV of 5 bytes":      {func(s *State) { s.OutIV = make([]byte, 5) }, ErrSecrets},
		"no window":          {func(s *State) { s.Window = nil }, ErrSecrets},
		"last record":        {func(s *State) { s.Next = MaxRecords - 1 }, nil},
		"no record left":     {func(s *State) { s.Next = MaxRecords }, ErrExhausted},
		"last forgery":       {func(s *State) { s.Failed = MaxFailedOpens - 1 }, nil},
		"too many forgeries": {func(s *State) { s.Failed = MaxFailedOpens }, ErrExhausted},
	} {
		_, server := pair(t, ECDSAWithAES128, 1)
		if _, err := next(t, server, test.change); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	_, server := pair(t, ECDSAWithAES128, MaxRecords-1)
	if _, ok := server.State(); !ok {
		t.Error("the last record is not handed over")
	}
	seal(t, server, "last")
	if _, ok := server.State(); ok {
		t.Error("a key that is used up is handed over")
	}
	_, wiped := pair(t, ECDSAWithAES128, 1)
	wiped.Wipe()
	if _, ok := wiped.State(); ok {
		t.Error("a key that is wiped is handed over")
	}
}
