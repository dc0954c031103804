package engine

import (
	"bytes"
	"encoding/gob"
	"errors"
	"testing"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/record"
)

// good returns the state of a client whose server has an ECDSA key.
func good(t *testing.T) state {
	t.Helper()
	ec, _, _, _, _ := enginetest.Keys(t)
	cert := enginetest.NewAuthority("authority", false).Issue(enginetest.ServerName, ec)
	return state{
		LocalEpoch: 1, SequenceNumber: 1, IsClient: true, CipherSuiteID: uint16(record.ECDSAWithAES128),
		LocalRandom: [32]byte{1}, RemoteRandom: [32]byte{2},
		MasterSecret: bytes.Repeat([]byte{7}, 48), PeerCertificates: cert.Certificate,
	}
}

func encode(t *testing.T, s state) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What is not the state of a finished handshake yields no keys; and "the server's end-entity certificate's public
// key MUST be compatible with the selected authentication algorithm" RFC 4492 2, whatever the engine thinks.
func TestChecked(t *testing.T) {
	_, _, rsaKey, p384, ed := enginetest.Keys(t)
	ca := enginetest.NewAuthority("authority", false)
	for name, c := range map[string]struct {
		change func(*state)
		want   error
	}{
		"good":          {func(*state) {}, nil},
		"epoch 0":       {func(s *state) { s.LocalEpoch = 0 }, errState},
		"epoch 2":       {func(s *state) { s.LocalEpoch = 2 }, errState},
		"nothing sent":  {func(s *state) { s.SequenceNumber = 0 }, errState},
		"other role":    {func(s *state) { s.IsClient = false }, errState},
		"no secret":     {func(s *state) { s.MasterSecret = nil }, errState},
		"short secret":  {func(s *state) { s.MasterSecret = s.MasterSecret[:47] }, errState},
		"zero secret":   {func(s *state) { clear(s.MasterSecret) }, errState},
		"no server":     {func(s *state) { s.PeerCertificates = nil }, handshake.ErrKey},
		"RSA in ECDSA":  {func(s *state) { s.PeerCertificates = ca.Issue("", rsaKey).Certificate }, handshake.ErrKey},
		"ECDSA in RSA":  {func(s *state) { s.CipherSuiteID = uint16(record.RSAWithAES128) }, handshake.ErrKey},
		"P-384 key":     {func(s *state) { s.PeerCertificates = ca.Issue("", p384).Certificate }, handshake.ErrKey},
		"Ed25519 key":   {func(s *state) { s.PeerCertificates = ca.Issue("", ed).Certificate }, handshake.ErrKey},
		"unknown suite": {func(s *state) { s.CipherSuiteID = 0xc00a }, nil}, // Conn.Result refuses it
	} {
		s := good(t)
		c.change(&s)
		if _, err := checked(encode(t, s), true); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := checked([]byte("no gob"), true); err == nil {
		t.Error("no gob, and yet a state")
	}
}

// Client and server randoms keep their names at both ends.
func TestSecrets(t *testing.T) {
	s := good(t)
	client := s.secrets()
	s.IsClient, s.LocalRandom, s.RemoteRandom = false, s.RemoteRandom, s.LocalRandom
	server := s.secrets()
	if client.ClientRandom != [32]byte{1} || client.ServerRandom != [32]byte{2} || client.Master != server.Master ||
		server.ClientRandom != client.ClientRandom || server.ServerRandom != client.ServerRandom {
		t.Error("randoms are mixed up")
	}
}
