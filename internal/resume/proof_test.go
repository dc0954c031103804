package resume

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
)

// proofVector is a HELLO with a ticket, whole and without its proof field.
type proofVector struct {
	Name          string `json:"name"`
	Secret        string `json:"secret"`
	ResumptionKey string `json:"resumption_key"`
	Binding       string `json:"binding"`
	Exporter      string `json:"exporter"` // empty in binding mode none
	Hello         string `json:"hello"`
	Proof         string `json:"proof"`
	Body          string `json:"body"`
}

func (v *proofVector) inputs() (key [32]byte, binding byte, exporter [32]byte) {
	copy(exporter[:], unhex(v.Exporter))
	return [32]byte(unhex(v.ResumptionKey)), unhex(v.Binding)[0], exporter
}

func TestProofVectors(t *testing.T) {
	for i, v := range readProofs(t) {
		secret := [32]byte(unhex(v.Secret))
		key, err := Key(&secret)
		want, binding, exporter := v.inputs()
		if err != nil || key != want {
			t.Errorf("proof %d: resumption key %x, %v, want %s", i+1, key, err, v.ResumptionKey)
		}
		m, err := wire.ParseHello(unhex(v.Body))
		if err != nil || m.Binding != binding || hex.EncodeToString(m.Proof) != v.Proof {
			t.Fatalf("proof %d: %+v, %v", i+1, m, err)
		}
		m.Proof = make([]byte, wire.ProofLen) // the client has none yet
		body := m.AppendTo(nil)
		if Proven(&key, binding, &exporter, body) {
			t.Errorf("proof %d: zeros are taken", i+1)
		}
		Prove(&key, binding, &exporter, body)
		if hex.EncodeToString(body) != v.Body || !Proven(&key, binding, &exporter, body) {
			t.Errorf("proof %d:\n%x, want\n%s", i+1, body, v.Body)
		}
	}
}

// "proof = HMAC-SHA256(resumption key, exporter of the new connection ‖ HELLO body before the proof field)"
// PROTOCOL.md 8.2. The slow twin has HMAC for its only tool.
func TestProofTwin(t *testing.T) {
	mac := func(key, data []byte) []byte {
		m := hmac.New(sha256.New, key)
		m.Write(data)
		return m.Sum(nil)
	}
	for _, v := range readProofs(t) {
		key := mac(mac(make([]byte, 32), unhex(v.Secret)), []byte("sallyport v1 resume\x01"))
		body := unhex(v.Body)
		want := mac(key, append(unhex(v.Exporter), body[:len(body)-35]...))
		if hex.EncodeToString(key) != v.ResumptionKey || !bytes.Equal(want, body[len(body)-32:]) {
			t.Errorf("key %x, proof %x", key, want)
		}
	}
}

// Whoever differs in the secret, the connection or one bit of the HELLO proves nothing.
func TestProofRefused(t *testing.T) {
	for _, v := range readProofs(t) {
		key, binding, exporter := v.inputs()
		body := unhex(v.Body)
		for i := range body {
			if typ := len(body) - proofField; i >= typ && i < typ+3 {
				continue // the field's type and length, which ParseHello has looked at
			}
			b := bytes.Clone(body)
			if b[i] ^= 1; Proven(&key, binding, &exporter, b) {
				t.Errorf("byte %d differs, and it is taken", i)
			}
		}
		for n := range len(body) {
			if Proven(&key, binding, &exporter, body[:n]) {
				t.Errorf("%d of %d bytes are taken", n, len(body))
			}
		}
		other := key
		other[31] ^= 1
		if Proven(&other, binding, &exporter, body) {
			t.Error("another session's key is taken")
		}
		elsewhere := exporter
		elsewhere[0] ^= 1
		if got := Proven(&key, binding, &elsewhere, body); got != (binding == wire.BindingNone) {
			t.Errorf("binding %d: on another connection %v", binding, got)
		}
		if Proven(&key, 1-binding, &exporter, body) {
			t.Error("another binding mode is taken")
		}
	}
}

// FuzzProof takes any body: a client's proof convinces the server, and no other does.
func FuzzProof(f *testing.F) {
	for _, v := range readProofs(f) {
		f.Add(unhex(v.Body), unhex(v.Binding)[0])
	}
	key, exporter := [32]byte(counting(1, 32)), [32]byte(counting(2, 32))
	f.Fuzz(func(t *testing.T, body []byte, binding byte) {
		if Proven(&key, binding, &exporter, body) {
			t.Fatal("a forgery")
		}
		m, err := wire.ParseHello(body)
		if err != nil || m.Proof == nil {
			return
		}
		body = bytes.Clone(body) // a fuzz target's input stays as it is
		Prove(&key, binding, &exporter, body)
		if !Proven(&key, binding, &exporter, body) {
			t.Fatalf("%x is not proven", body)
		}
		if again, err := wire.ParseHello(body); err != nil || bytes.Equal(again.Proof, make([]byte, wire.ProofLen)) {
			t.Fatalf("%x: %v", body, err)
		}
	})
}
