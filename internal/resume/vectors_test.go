package resume

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/internal/wire"
)

type refusedTicket struct {
	Name       string `json:"name"`
	FleetKeyID string `json:"fleet_key_id"`
	FleetKey   string `json:"fleet_key"`
	Bytes      string `json:"bytes"`
	Reason     string `json:"reason"`
	Rule       string `json:"rule"`
	Instead    string `json:"instead"`
}

// Tickets that do not open, and tickets that open and have content that is refused.
func TestVectorsRefusedTickets(t *testing.T) {
	v := readTickets(t)[0]
	key, err := fleetkey.New(uint32(number(v.FleetKeyID)), unhex(v.FleetKey))
	if err != nil {
		t.Fatal(err)
	}
	ring := newRing(t, key)
	// sealed is content as a ticket, whatever it is.
	sealed := func(content []byte) []byte {
		k, err := hkdf.Key(sha256.New, unhex(v.FleetKey), nil, "sallyport v1 ticket", 32)
		if err != nil {
			t.Fatal(err)
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			t.Fatal(err)
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		return gcm.Seal(unhex(v.FleetKeyID+v.Nonce), unhex(v.Nonce), content, unhex(v.FleetKeyID))
	}
	good, content := unhex(v.Ticket), unhex(v.Content)
	if !bytes.Equal(sealed(content), good) {
		t.Fatal("the test seals otherwise")
	}
	const (
		sealing   = "docs/fleet.md 8.1: AES-256-GCM of the content and its tag (16); the fleet key id is the additional data"
		forbidden = "docs/fleet.md 8.1: A server MUST refuse content of another version, with another flag or with a byte left over"
		zero      = "docs/fleet.md 8.1: session id on the server that made it, 0 never"
		names     = "docs/fleet.md 8.1: Issuer, subject and token id MUST NOT be empty"
		network   = "docs/fleet.md 8.1: address (4 or 16) and number of bits (1), with no bit set behind these, or empty"
	)
	inside := func(change func([]byte) []byte) []byte { return sealed(change(slices.Clone(content))) }
	// replaced is the content with another name in place of one.
	replaced := func(from, to string) []byte {
		return inside(func(b []byte) []byte { return bytes.Replace(b, []byte(from), []byte(to), 1) })
	}
	var list []refusedTicket
	for _, c := range []struct {
		name, rule string
		bad        []byte
	}{
		{"another fleet key id", sealing, append([]byte{0xa}, append([]byte{0xb, 0xc, 0xe}, good[4:]...)...)},
		{"another nonce", sealing, flip(good, 4)},
		{"another ciphertext", sealing, flip(good, 16)},
		{"another tag", sealing, flip(good, len(good)-1)},
		{"cut off", sealing, good[:len(good)-1]},
		{"longer", sealing, append(slices.Clone(good), 0)},
		{"version 1", forbidden, inside(func(b []byte) []byte { b[0] = 1; return b })},
		{"version 3", forbidden, inside(func(b []byte) []byte { b[0] = 3; return b })},
		{"flag 4", forbidden, inside(func(b []byte) []byte { b[1] |= 4; return b })},
		{"a byte left over", forbidden, inside(func(b []byte) []byte { return append(b, 0) })},
		{"binding mode 2", "docs/fleet.md 8.1: binding mode", inside(func(b []byte) []byte { b[2] = 2; return b })},
		{"epoch 0", "docs/fleet.md 8.1: epoch, from 1", inside(func(b []byte) []byte { clear(b[3:7]); return b })},
		{"session id 0", zero, inside(func(b []byte) []byte { clear(b[7:11]); return b })},
		{"client next 0", "docs/fleet.md 8.1: client next: the client's next sequence when the ticket was made, from 1", inside(func(b []byte) []byte { clear(b[19:27]); return b })},
		{"no issuer", names, replaced("\x00\x06issuer", "\x00\x00")},
		{"no subject", names, replaced("\x00\x06player", "\x00\x00")},
		{"no token id", names, replaced("\x00\x05token", "\x00\x00")},
		{"a bit behind the network prefix", network, inside(func(b []byte) []byte { b[120] = 1; return b })},
		{"a network prefix of 33 bits", network, inside(func(b []byte) []byte { b[121] = 33; return b })},
	} {
		if _, err := OpenTicket(ring, begin, c.bad); err == nil {
			t.Errorf("%s: taken", c.name)
		}
		list = append(list, refusedTicket{c.name, v.FleetKeyID, v.FleetKey, hex.EncodeToString(c.bad), "ticket", c.rule, v.Ticket})
	}
	vectors.Hold(t, "refused tickets", list)
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

type refusedProof struct {
	Name     string `json:"name"`
	Secret   string `json:"secret"`
	Exporter string `json:"exporter"`
	Hello    string `json:"hello"` // the whole body, proof included
	Reason   string `json:"reason"`
	Rule     string `json:"rule"`
	Instead  shown  `json:"instead"`
}

// shown is what is shown with the ticket, and what it is measured by.
type shown struct {
	Secret   string `json:"secret"`
	Exporter string `json:"exporter"`
	Hello    string `json:"hello"`
}

// Well-formed HELLOs whose proof is not that of the client that has the ticket's secret, on this
// connection.
func TestVectorsRefusedProofs(t *testing.T) {
	v := readProofs(t)[0]
	key, binding, exporter := v.inputs()
	const rule = "8.3: with reason 15 a ticket that does not open, has expired or is used up, whose session has ended (section 5.5), whose binding mode differs or whose proof is wrong"
	var list []refusedProof
	for _, c := range []struct {
		name     string
		body     []byte
		secret   string
		exporter string
	}{
		{"another client nonce", flip(unhex(v.Body), 0), v.Secret, v.Exporter},
		{"another next to send", flip(unhex(v.Body), 24), v.Secret, v.Exporter},
		{"another ticket", flip(unhex(v.Body), 41), v.Secret, v.Exporter},
		{"another build", flip(unhex(v.Body), len(unhex(v.Body))-36), v.Secret, v.Exporter},
		{"another proof", flip(unhex(v.Body), len(unhex(v.Body))-1), v.Secret, v.Exporter},
		{"another secret", unhex(v.Body), strings.Replace(v.Secret, "20", "21", 1), v.Exporter},
		{"another connection", unhex(v.Body), v.Secret, strings.Replace(v.Exporter, "80", "81", 1)},
	} {
		if _, err := wire.ParseHello(c.body); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		other := [32]byte(unhex(c.secret))
		k, err := Key(&other)
		if err != nil {
			t.Fatal(err)
		}
		e := [32]byte(unhex(c.exporter))
		if Proven(&k, binding, &e, c.body) {
			t.Errorf("%s: taken", c.name)
		}
		list = append(list, refusedProof{c.name, c.secret, c.exporter, hex.EncodeToString(c.body), "ticket", rule, shown{v.Secret, v.Exporter, v.Body}})
	}
	if !Proven(&key, binding, &exporter, unhex(v.Body)) {
		t.Error("what they are made of is refused")
	}
	vectors.Hold(t, "refused proofs", list)
}
