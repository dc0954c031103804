package machine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// item is a text behind its length, as PROTOCOL.md 6.2 has it.
func item(text string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
}

// "identity token that was used, or session that goes on | digest; of a session the last 8 bytes of
// its name" docs/fleet.md 8.4, and so on: what a server of another make has to know of a snapshot's
// memory.
func TestSnapshotKeys(t *testing.T) {
	name := [16]byte(counting(1, 16))
	if got, want := sessionKey(name), binary.BigEndian.Uint64(name[8:]); got != want {
		t.Errorf("session: %x", got)
	}
	m := newMemory()
	m.key = [32]byte(counting(7, 32))
	mac := func(of string) []byte {
		h := hmac.New(sha256.New, counting(7, 32))
		h.Write(append(item("issuer"), of...))
		return h.Sum(nil)
	}
	if got, want := m.tokenKey(&token.Claims{Issuer: "issuer", ID: "id"}), binary.BigEndian.Uint64(mac("id")); got != want {
		t.Errorf("token: %x", got)
	}
	if got, want := m.ownerOf("issuer", "player"), binary.BigEndian.Uint32(mac("player")[8:]); uint32(got) != want {
		t.Errorf("owner: %x", got)
	}
	g := newGate(t, session.Config{})
	c := minted("player", "id", begin.Add(tokenLife))
	s, _ := enter(g, begin, c)
	if sessionKey(s.name) != g.memory.tokenKey(c) || s.name[0]|s.name[1]|s.name[2]|s.name[3] == 0 {
		t.Errorf("a session's name: %x", s.name)
	}
	for kind, code := range map[session.RevocationKind]byte{
		session.RevokeSubject: 1, session.RevokeToken: 2, session.RevokeSignIn: 3, session.RevokeKey: 4, session.RevokeBuild: 5,
	} {
		want := sha256.Sum256(append(append([]byte{code}, item("issuer")...), "value"...))
		if got := revocationKey(kind, "issuer", "value"); got != want {
			t.Errorf("%v: %x", kind, got)
		}
	}
	if savedUsed != 1 || savedEnded != 2 || savedRevoked != 3 {
		t.Error("the codes differ")
	}
}
