package machine

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// ExporterLabel is the RFC 5705 label of the 32 bytes, without context, that bind datagram keys to
// their DTLS connection.
const ExporterLabel = "EXPERIMENTAL-sallyport-v1"

const (
	fromClient byte = 0
	fromServer byte = 1
)

// Channel describes the DTLS connection under a machine.
type Channel struct {
	// Exporter is the connection's exporter under [ExporterLabel]. Both ends must have negotiated
	// the extended master secret (RFC 7627).
	Exporter [32]byte
	// Thumbprint is the SHA-256 of the client's certificate in DER. HasCertificate reports whether
	// the client presented one and proved its possession.
	Thumbprint     [32]byte
	HasCertificate bool
}

// digestOf returns the fingerprint digest that goes into the datagram keys: PROTOCOL.md, "Keys".
func digestOf(f session.Fingerprint, ch *Channel) [32]byte {
	h := sha256.New()
	field := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(b))))
		h.Write(b)
	}
	field([]byte("sallyport v1 fingerprint"))
	field([]byte(f.Platform))
	field([]byte(f.Build))
	if ch.HasCertificate {
		field(ch.Thumbprint[:])
	} else {
		field(nil)
	}
	return [32]byte(h.Sum(nil))
}

// keyContext is the input of the key derivation other than secret, direction and epoch.
type keyContext struct {
	exporter [32]byte
	binding  byte
	session  uint32
	digest   [32]byte
}

// key derives one direction's datagram key of one epoch:
//
//	HKDF-SHA256(secret, salt = exporter, info = "sallyport v1 datagram" ‖
//	  direction ‖ binding mode ‖ session id ‖ epoch ‖ fingerprint digest) → 16 bytes
func (s *keyContext) key(secret *[32]byte, direction byte, epoch uint32) ([]byte, error) {
	var salt []byte
	if s.binding == wire.BindingExporter {
		salt = s.exporter[:]
	}
	info := append([]byte("sallyport v1 datagram"), direction, s.binding)
	info = binary.BigEndian.AppendUint32(info, s.session)
	info = binary.BigEndian.AppendUint32(info, epoch)
	info = append(info, s.digest[:]...)
	return hkdf.Key(sha256.New, secret[:], salt, string(info), 16)
}

// epoch is one generation of datagram keys. in belongs to the receiving half of a link, out to the
// sending half.
type epoch struct {
	number  uint32
	in, out cmac
	token   []byte // the identity token of the epoch, kept for BEARER only
}

// newEpoch returns an initialized epoch.
func (s keyContext) newEpoch(secret *[32]byte, number uint32, isClient bool) (*epoch, error) {
	e := new(epoch)
	return e, e.init(&s, secret, number, isClient)
}

// init derives the keys of both directions as one end uses them.
func (e *epoch) init(s *keyContext, secret *[32]byte, number uint32, isClient bool) error {
	in, out := fromClient, fromServer
	if isClient {
		in, out = out, in
	}
	e.number = number
	for _, half := range []struct {
		mac       *cmac
		direction byte
	}{{&e.in, in}, {&e.out, out}} {
		key, err := s.key(secret, half.direction, number)
		if err != nil {
			return err
		}
		half.mac.init(key)
		clear(key)
	}
	return nil
}

// bits returns the epoch bits of an envelope.
func (e *epoch) bits() uint8 { return uint8(e.number & 3) }
