package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/token"
)

// item is a text behind its length, as PROTOCOL.md 6.2 has it.
func item(text string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
}

// "identity token that was used | SHA-256( item(issuer) ‖ token id )" PROTOCOL.md 8.4, and so on: what a server of
// another make has to know of a snapshot's memory.
func TestSnapshotKeys(t *testing.T) {
	name := [16]byte(counting(1, 16))
	if got, want := endKey(name), append(name[:], make([]byte, 16)...); !bytes.Equal(got[:], want) {
		t.Errorf("session: %x", got)
	}
	claims := &token.Claims{Issuer: "issuer", ID: "id"}
	if got, want := tokenKey(claims), sha256.Sum256(append(item("issuer"), "id"...)); got != want {
		t.Errorf("token: %x", got)
	}
	for kind, code := range map[RevocationKind]byte{
		RevokeSubject: 1, RevokeToken: 2, RevokeSignIn: 3, RevokeKey: 4, RevokeBuild: 5,
	} {
		want := sha256.Sum256(append(append([]byte{code}, item("issuer")...), "value"...))
		if got := revocationKey(kind, "issuer", "value"); got != want {
			t.Errorf("%v: %x", kind, got)
		}
	}
	for why, code := range map[audit.Drop]uint8{audit.DropUsed: 1, audit.DropTicket: 2, audit.DropRevoked: 3} {
		if remembered[why] != code {
			t.Errorf("%v is %d", why, remembered[why])
		}
	}
	ring := fleet(t)
	ticket := resume.Ticket{
		Name: name, Issuer: "i", Subject: "s", TokenID: "t", Epoch: 1, Session: 1, ClientNext: 1, Expires: begin.Add(tokenLife).UnixMilli(),
	}
	sealed, err := ticket.Seal(nil, ring, bytes.NewReader(counting(9, 12)))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := resume.OpenTicket(ring, begin, sealed)
	if want := append(append(name[:], counting(9, 12)...), sealed[:4]...); err != nil || !bytes.Equal(opened.Use[:], want) {
		t.Errorf("ticket: %x, %v", opened.Use, err)
	}
}
