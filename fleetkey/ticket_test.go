package fleetkey

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"testing"
)

// "AES-256-GCM under HKDF-SHA256(key, salt, purpose)". The slow twin has HMAC for its only key derivation.
func TestCipherTwin(t *testing.T) {
	mac := func(key []byte, data string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(data))
		return m.Sum(nil)
	}
	k, nonce := newTestKey(t, 1), counting(0x60, 12)
	for _, salt := range []string{"", "salt"} {
		fast, err := k.Cipher([]byte(salt), "purpose")
		if err != nil {
			t.Fatal(err)
		}
		block, _ := aes.NewCipher(mac(mac([]byte(salt), string(counting(1, 32))), "purpose\x01"))
		slow, _ := cipher.NewGCM(block)
		got, want := fast.Seal(nil, nonce, []byte("content"), []byte("data")), slow.Seal(nil, nonce, []byte("content"), []byte("data"))
		if !bytes.Equal(got, want) {
			t.Errorf("salt %q: %x, want %x", salt, got, want)
		}
	}
}

// "What is sealed for one purpose, or with one salt, never opens for another."
func TestCipherPurposes(t *testing.T) {
	k, nonce := newTestKey(t, 1), counting(0x60, 12)
	sealed, err := k.SealTicket([]byte("dst"), nonce, []byte("content"), []byte("data"))
	if err != nil || string(sealed[:3]) != "dst" {
		t.Fatalf("%x, %v", sealed, err)
	}
	sealed = sealed[3:]
	if b, err := k.OpenTicket([]byte("dst"), nonce, sealed, []byte("data")); err != nil || string(b) != "dstcontent" {
		t.Errorf("OpenTicket: %q, %v", b, err)
	}
	if _, err := k.OpenTicket(nil, nonce, sealed, []byte("other")); err == nil {
		t.Error("it opens with other data")
	}
	if _, err := newTestKey(t, 2).OpenTicket(nil, nonce, sealed, []byte("data")); err == nil {
		t.Error("another key opens it")
	}
	for purpose, opens := range map[string]bool{"sallyport v1 ticket": true, "sallyport v1 snapshot": false, "": false} {
		for _, salt := range []string{"", "salt"} {
			c, err := k.Cipher([]byte(salt), purpose)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Open(nil, nonce, sealed, []byte("data")); (err == nil) != (opens && salt == "") {
				t.Errorf("%q with salt %q: %v", purpose, salt, err)
			}
		}
	}
}

// A key seals 2^32 tickets and none more; what it has sealed still opens.
func TestTicketCount(t *testing.T) {
	k, nonce := newTestKey(t, 1), counting(0x60, 12)
	k.key().seals.Store(maxSeals - 2)
	var sealed []byte
	for more := range 4 {
		b, err := k.SealTicket(nil, nonce, []byte("content"), nil)
		if errors.Is(err, ErrKey) != (more >= 2) || (b == nil) != (more >= 2) {
			t.Errorf("after %d more: %x, %v", more, b, err)
		}
		if err == nil {
			sealed = b
		}
		if want := min(maxSeals, maxSeals-1+uint64(more)); k.Sealed() != want {
			t.Errorf("after %d more: %d sealed, want %d", more, k.Sealed(), want)
		}
	}
	if _, err := k.OpenTicket(nil, nonce, sealed, nil); err != nil {
		t.Error(err)
	}
}
