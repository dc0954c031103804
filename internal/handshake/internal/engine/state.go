package engine

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"io"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
)

// errState is the cause of a failure if the state is not that of a finished handshake.
var errState = errors.New("engine: state is not that of a finished handshake")

// state mirrors the gob that pion's State.MarshalBinary encodes, of which gob compares the field
// names. It is the same in v2 and v3, and each engine's tests compare it with the version in
// go.mod.
type state struct {
	LocalEpoch       uint16
	LocalRandom      [32]byte
	RemoteRandom     [32]byte
	CipherSuiteID    uint16
	MasterSecret     []byte
	SequenceNumber   uint64 // next one of LocalEpoch
	PeerCertificates [][]byte
	IsClient         bool
}

// Handover ends the engine's part: nothing more of it is sent, then snapshot reads its state, then
// it is closed in the background. In another order a record number could be lost or used twice.
func Handover(c *handshake.Conn, conn io.Closer, isClient bool, snapshot func() ([]byte, error)) (*handshake.Result, error) {
	c.Mute()
	raw, err := snapshot()
	c.Retire(conn)
	if err != nil {
		return nil, handshake.Failure(err)
	}
	defer clear(raw)
	s, err := checked(raw, isClient)
	if err != nil {
		return nil, handshake.Failure(err)
	}
	defer clear(s.MasterSecret)
	secrets := s.secrets()
	defer secrets.Wipe()
	return c.Result(secrets, s.SequenceNumber, s.PeerCertificates)
}

// checked reads the state and checks that it is complete.
func checked(raw []byte, isClient bool) (*state, error) {
	s, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if s.LocalEpoch != 1 || s.SequenceNumber == 0 || s.IsClient != isClient ||
		len(s.MasterSecret) != len(record.Secrets{}.Master) || allZero(s.MasterSecret) {
		return nil, errState
	}
	return s, s.checkPeer()
}

// checkPeer holds a server to the suite it chose: its key must be of the kind that the suite names
// (RFC 5246 7.4.2).
func (s *state) checkPeer() error {
	if !s.IsClient {
		return nil
	}
	leaf, err := leafOf(s.PeerCertificates)
	if err != nil {
		return err
	}
	if _, isRSA := leaf.PublicKey.(*rsa.PublicKey); isRSA != record.Suite(s.CipherSuiteID).RSA() {
		return handshake.ErrKey
	}
	return nil
}

// secrets puts the state in the terms of package record.
func (s *state) secrets() record.Secrets {
	out := record.Secrets{Suite: record.Suite(s.CipherSuiteID), ClientRandom: s.LocalRandom, ServerRandom: s.RemoteRandom}
	if !s.IsClient {
		out.ClientRandom, out.ServerRandom = s.RemoteRandom, s.LocalRandom
	}
	copy(out.Master[:], s.MasterSecret)
	return out
}

func allZero(b []byte) bool {
	return bytes.Count(b, []byte{0}) == len(b)
}
