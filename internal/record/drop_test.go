package record

import "testing"

// "The next Open or Seal expands it again": the record number and the window go on, and a rest is as good before the
// first record as later.
func TestRest(t *testing.T) {
	for _, suite := range suites {
		client, server := pair(t, suite, 1)
		var last []byte
		for range 3 {
			for _, c := range []*Conn{client, server} {
				c.DropOpenKey()
				c.DropSealKey()
				if c.in.aead != nil || c.out.aead != nil {
					t.Fatal("a key stays expanded")
				}
			}
			last = seal(t, client, "up")
			open(t, server, last, "up")
			open(t, client, seal(t, server, "down"), "down")
		}
		server.DropOpenKey()
		if _, _, err := server.Open(last); err == nil {
			t.Error("a copy opened after a rest")
		}
		if client.Sealed() != 4 || server.Opened() != 3 {
			t.Errorf("next record %d, highest opened %d", client.Sealed(), server.Opened())
		}
	}
}

// A rest gives no key back to who has forgotten it.
func TestRestAfterWipe(t *testing.T) {
	client, server := pair(t, ECDSAWithAES128, 1)
	rec := seal(t, client, "late")
	server.Wipe()
	server.DropOpenKey()
	server.DropSealKey()
	if _, _, err := server.Open(rec); err != ErrExhausted {
		t.Errorf("Open: %v", err)
	}
	if _, err := server.Seal(nil, ApplicationData, nil); err != ErrExhausted {
		t.Errorf("Seal: %v", err)
	}
}
