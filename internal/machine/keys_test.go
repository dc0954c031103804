package machine

import (
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// "The tag is the first 8 bytes of AES-128-CMAC (RFC 4493)" PROTOCOL.md 6.4: subkey and the example
// of 16 bytes of its section 4.
func TestCMACVectors(t *testing.T) {
	var m cmac
	m.init(unhex("2b7e151628aed2a6abf7158809cf4f3c"))
	if want := unhex("fbeed618357133667c85e08f7236a8de"); !bytes.Equal(m.subkey[:], want) {
		t.Errorf("K1 = %x", m.subkey)
	}
	k2 := m.subkey
	if double(&k2); !bytes.Equal(k2[:], unhex("f7ddac306ae266ccf90bc11ee46d513b")) {
		t.Errorf("K2 = %x", k2)
	}
	for range 3 { // the machine is as good the second time, and after a rest
		copy(m.block[:], unhex("6bc1bee22e409f96e93d7e117393172a"))
		if tag := m.tag(); !bytes.Equal(tag[:], unhex("070a16b46b4d4144")) || !bytes.Equal(m.block[:], unhex("070a16b46b4d4144f79bdd9dd04a287c")) {
			t.Errorf("tag %x, block %x", tag, m.block)
		}
		m.dropExpanded()
	}
}

// The slow twin: PROTOCOL.md 6 as it stands, with HMAC and AES for its only tools and nothing of
// this package.
type twin struct {
	secret, exporter, certificate []byte
	binding                       byte
	session, epoch                uint32
	platform, build               string
}

// "item(x) = length of x (2 bytes) ‖ x" PROTOCOL.md 6.2
func (w twin) digest() []byte {
	var b []byte
	for _, x := range []string{"sallyport v1 fingerprint", w.platform, w.build, string(w.certificate)} {
		b = append(b, byte(len(x)>>8), byte(len(x)))
		b = append(b, x...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// "HKDF-SHA256(secret, salt, info) → 16 bytes" PROTOCOL.md 6.3
func (w twin) key(direction byte) []byte {
	mac := func(key, data []byte) []byte {
		m := hmac.New(sha256.New, key)
		m.Write(data)
		return m.Sum(nil)
	}
	salt := make([]byte, 32)
	if w.binding == 1 {
		salt = w.exporter
	}
	info := []byte("sallyport v1 datagram")
	info = append(info, direction, w.binding)
	for _, n := range []uint32{w.session, w.epoch} {
		info = append(info, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	info = append(info, w.digest()...)
	return mac(mac(salt, w.secret), append(info, 1))[:16]
}

// tag is AES-CMAC of RFC 4493 2.4 over one block, with numbers for bits.
func (w twin) tag(direction byte, kind wire.Kind, seq uint64, length int) []byte {
	c, err := aes.NewCipher(w.key(direction))
	if err != nil {
		panic(err)
	}
	l := make([]byte, 16)
	c.Encrypt(l, l)
	k := new(big.Int).Lsh(new(big.Int).SetBytes(l), 1)
	if k.Bit(128) == 1 {
		k.SetBit(k, 128, 0).Xor(k, big.NewInt(0x87))
	}
	block := []byte{1<<4 | byte(kind), byte(w.epoch % 4)}
	block = binary.BigEndian.AppendUint32(block, w.session)
	block = binary.BigEndian.AppendUint64(block, seq)
	block = append(block, byte(length>>8), byte(length))
	x := new(big.Int).Xor(new(big.Int).SetBytes(block), k).FillBytes(make([]byte, 16))
	c.Encrypt(x, x)
	return x[:8]
}

// fast is the same by the code of the package.
func (w twin) fast(t testing.TB) (digest [32]byte, client, server *epoch) {
	t.Helper()
	var ch Channel
	copy(ch.Exporter[:], w.exporter)
	ch.HasCertificate = len(w.certificate) > 0
	copy(ch.Thumbprint[:], w.certificate)
	digest = digestOf(session.Fingerprint{Platform: w.platform, Build: w.build}, &ch)
	s := keyContext{ch.Exporter, w.binding, w.session, digest}
	secret := [32]byte(w.secret)
	client, err := s.newEpoch(&secret, w.epoch, true)
	if err == nil {
		server, err = s.newEpoch(&secret, w.epoch, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return digest, client, server
}

func (w twin) check(t testing.TB, kind wire.Kind, seq uint64, length int) {
	t.Helper()
	digest, client, server := w.fast(t)
	if !bytes.Equal(digest[:], w.digest()) {
		t.Fatalf("digest %x, want %x", digest, w.digest())
	}
	for direction, ends := range [][2]*cmac{{&client.out, &server.in}, {&server.out, &client.in}} {
		want := w.tag(byte(direction), kind, seq, length)
		for _, m := range ends {
			wire.TagInput(&m.block, kind, client.bits(), w.session, seq, length)
			if tag := m.tag(); !bytes.Equal(tag[:], want) {
				t.Fatalf("direction %d: tag %x, want %x", direction, tag, want)
			}
		}
	}
}

func TestKeysTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	for i := range 2000 {
		w := twin{
			secret: random(32), exporter: random(32), certificate: random(32 * (i & 1)), binding: byte(i >> 1 & 1),
			session: rng.Uint32(), epoch: rng.Uint32() | 1,
			platform: string(random(rng.IntN(129))), build: string(random(rng.IntN(129))),
		}
		w.check(t, wire.Kind(1+rng.IntN(10)), rng.Uint64()>>rng.IntN(64), rng.IntN(wire.MaxBody+1))
	}
}

// Each input of the schedule makes another key: whoever differs in one of them makes no tag.
func TestKeysDiffer(t *testing.T) {
	base := twin{secret: make([]byte, 32), exporter: make([]byte, 32), certificate: counting(1, 32), binding: 1, session: 1, epoch: 1, platform: "ab", build: "c"}
	seen := map[string]string{}
	for name, change := range map[string]func(*twin){
		"nothing":     func(*twin) {},
		"secret":      func(w *twin) { w.secret = counting(1, 32) },
		"exporter":    func(w *twin) { w.exporter = counting(1, 32) },
		"binding":     func(w *twin) { w.binding = 0 },
		"session":     func(w *twin) { w.session = 2 },
		"epoch":       func(w *twin) { w.epoch = 5 },
		"fields":      func(w *twin) { w.platform, w.build = "a", "bc" },
		"certificate": func(w *twin) { w.certificate = nil },
	} {
		w := base
		change(&w)
		_, client, server := w.fast(t)
		for i, m := range []*cmac{&client.out, &client.in, &server.in, &server.out} {
			m.block = [16]byte{}
			tag := m.tag()
			if other, ok := seen[string(tag[:])]; ok && i < 2 {
				t.Errorf("%s and %s give the same key", name, other)
			}
			seen[string(tag[:])] = name
		}
		if len(seen)%2 != 0 {
			t.Errorf("%s: the two ends disagree", name)
		}
	}
}
