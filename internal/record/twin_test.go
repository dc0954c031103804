package record

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"testing"
)

// The slow twin: the PRF and AES-GCM as the documents write them, with nothing of this package and of
// crypto/cipher in it.

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// twinPRF is P_hash of RFC 5246 5, an iteration a line.
func twinPRF(h func() hash.Hash, n int, secret []byte, label string, seed ...byte) []byte {
	mac := func(data ...byte) []byte {
		m := hmac.New(h, secret)
		m.Write(data)
		return m.Sum(nil)
	}
	seed = append([]byte(label), seed...)
	var out []byte
	for a := mac(seed...); len(out) < n; a = mac(a...) {
		out = append(out, mac(slices.Concat(a, seed)...)...)
	}
	return out[:n]
}

// twinMul multiplies in GF(2^128), SP 800-38D 6.3, bit by bit.
func twinMul(x, y [16]byte) (z [16]byte) {
	v := y
	for i := range 128 {
		if x[i/8]>>(7-i%8)&1 == 1 {
			for j := range z {
				z[j] ^= v[j]
			}
		}
		low, carry := v[15]&1, byte(0)
		for j := range v {
			v[j], carry = v[j]>>1|carry<<7, v[j]&1
		}
		if low == 1 {
			v[0] ^= 0xe1
		}
	}
	return z
}

// twinGCM is GCM-AE of SP 800-38D 7.1 for a 96-bit IV.
func twinGCM(key, iv, ad, plaintext []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	var h, s, ctr [16]byte
	block.Encrypt(h[:], h[:])
	stream := func(n uint32) (out [16]byte) {
		copy(ctr[:], iv)
		binary.BigEndian.PutUint32(ctr[12:], n)
		block.Encrypt(out[:], ctr[:])
		return out
	}
	out := make([]byte, len(plaintext))
	for i := range plaintext {
		ks := stream(uint32(2 + i/16))
		out[i] = plaintext[i] ^ ks[i%16]
	}
	pad := func(b []byte) []byte { return append(slices.Clone(b), make([]byte, -len(b)&15)...) }
	var lens [16]byte
	binary.BigEndian.PutUint64(lens[:], uint64(len(ad))*8)
	binary.BigEndian.PutUint64(lens[8:], uint64(len(out))*8)
	for b := range slices.Chunk(slices.Concat(pad(ad), pad(out), lens[:]), 16) {
		for j := range s {
			s[j] ^= b[j]
		}
		s = twinMul(s, h)
	}
	tag := stream(1)
	for j := range tag {
		tag[j] ^= s[j]
	}
	return append(out, tag[:]...)
}

// "Test Case 4" and "Test Case 16" of McGrew and Viega, The Galois/Counter Mode of Operation, appendix B.
func TestTwinAgainstPublishedVectors(t *testing.T) {
	iv, ad := unhex("cafebabefacedbaddecaf888"), unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
	plain := unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
	for key, want := range map[string]string{
		"feffe9928665731c6d6a8f9467308308": "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" +
			"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
		"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308": "522dc1f099567d07f47f37a32a84427d" +
			"643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
	} {
		if got := twinGCM(unhex(key), iv, ad, plain); !bytes.Equal(got, unhex(want)) {
			t.Errorf("key %s: got %x", key, got)
		}
	}
}

// The PRF vectors of the IETF TLS list, https://mailarchive.ietf.org/arch/msg/tls/fzVCzk-z3FShgGJ6DOXqM1ydxms/.
func TestPRFVectors(t *testing.T) {
	for _, v := range []struct {
		suite              Suite
		secret, seed, want string
	}{
		{
			ECDSAWithAES128, "9bbe436ba940f017b17652849a71db35", "a0ba9f936cda311827a6f796ffd5198c",
			"e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0f" +
				"a022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66",
		},
		{
			ECDSAWithAES256, "b80b733d6ceefcdc71566ea48e5567df", "cd665cf6a8447dd6ff8b27555edb7465",
			"7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e5" +
				"34cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd" +
				"4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f",
		},
	} {
		want := unhex(v.want)
		_, h, _ := v.suite.params()
		got := make([]byte, len(want))
		prf(h, got, unhex(v.secret), "test label", unhex(v.seed), nil)
		twin := twinPRF(h, len(want), unhex(v.secret), "test label", unhex(v.seed)...)
		if !bytes.Equal(got, want) || !bytes.Equal(twin, want) {
			t.Errorf("%v: got %x, twin %x", v.suite, got, twin)
		}
	}
}
