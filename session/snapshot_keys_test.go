package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"

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
	if got, want := spentKey(name, 0x01020304), append(append(name[:], make([]byte, 12)...), 1, 2, 3, 4); !bytes.Equal(got[:], want) {
		t.Errorf("spent: %x", got)
	}
	if savedToken != 1 || savedLeft != 2 || savedPutOut != 3 || savedRevoked != 4 || savedSpent != 5 {
		t.Error("the codes differ")
	}
}
