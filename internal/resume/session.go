package resume

import (
	"net/netip"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/replay"
)

// Session is one live session and the DTLS connection under it, as the server
// sees them. It
// leaves out:
//
//   - a session whose client has not answered WELCOME yet, or which carries its
//     identity token in every datagram: it is not handed over;
//   - the previous epoch: its overlap ends with the old process, and what is
//     still on its way in it is lost like any datagram;
//   - the master secret and the last flight: the handshake is over;
//   - rate, behaviour, wrong tags in a row, idle time: they begin anew;
//   - partial bodies: the client sends all parts again.
//
// RecordNext and Sequence are exact as of when the old process stopped sending.
// Whoever goes on skips ahead of the first: one number used by both processes would
// be one nonce for two records.
type Session struct {
	Addr         netip.AddrPort // of the validated path, without a zone
	Local        netip.Addr     // the server's to which the player sends, without a zone; zero if it is not known
	ConnectionID uint32         // by which it is found from another address, or 0

	InKey, InIV  []byte // of records from the client: 16 or 32 bytes, and 4
	OutKey       []byte // of records to the client, as long as InKey
	OutIV        []byte
	RecordNext   uint64         // number of the next record to the client
	RecordFailed uint64         // records that did not open under InKey
	Records      *replay.Window // record numbers from the client

	ID             uint32   // on the wire, never 0
	Name           [16]byte // as in Ticket
	Binding        byte
	Reports        bool     // the client wants reports in PONG
	Exporter       [32]byte // zero in binding mode none
	Thumbprint     [32]byte // SHA-256 of the client's certificate, zero without
	HasCertificate bool
	Network        netip.Prefix // the network prefix that the session is bound to
	StepUp         uint8        // the part of the fingerprint that a step up is owed for; 0 if none is
	Bound          bool         // an identity token of the session was bound to the client's certificate (cnf)
	Confined       bool         // a step up has lapsed: the network may not change
	Platform       string       // stated by the client
	Build          string
	Issuer         string // texts have at most 1,024 bytes; issuer and subject are never empty
	Subject        string
	Scope          string
	Sequence       uint64         // last one to the client
	Accepted       uint64         // datagrams of the client's that were accepted so far
	Window         *replay.Window // sequences from the client
	Standing       Standing       // of the current epoch
	Ends           int64          // by the wall clock, Unix ms, if that has stepped; 0 for Standing.Expires
	Epoch          uint32         // the current one's number, from 1
	In, Out        [16]byte       // its datagram keys

	Next *NextEpoch // RENEWED has been sent, and nothing has come in its epoch; or nil

	Lanes *Lanes // entries of their own; nil without lanes
}

// Standing is the part of an epoch that comes from its identity token.
type Standing struct {
	Expires int64  // Unix ms
	Issued  int64  // Unix ms, 0 if the token did not say
	TokenID string // never empty
	SignIn  string // id that all tokens of one sign-in share, or empty
	KeyID   string // of the issuer's key that signed the token, or empty

	// Identity is that of package identity, at most MaxIdentity bytes.
	Identity string
}

// NextEpoch is the state for answering a repeated RENEW and accepting the first datagram of the
// next epoch, whose number is one more than the current one's.
type NextEpoch struct {
	Digest   [32]byte // SHA-256 of the RENEW body that it answers
	Secret   [32]byte // its keys, and the RENEWED, are made from it
	Standing Standing
}

// Wipe erases the keys and the messages, once the connection and the session have them.
func (s *Session) Wipe() {
	clear(s.InKey)
	clear(s.OutKey)
	s.Exporter, s.In, s.Out = [32]byte{}, [16]byte{}, [16]byte{}
	if s.Next != nil {
		s.Next.Secret = [32]byte{}
	}
	if s.Lanes != nil {
		clear(s.Lanes.State)
	}
}

// shared are the texts that many sessions have in common.
func (s *Session) shared() [4]*string {
	return [4]*string{&s.Issuer, &s.Scope, &s.Platform, &s.Build}
}

// coherent reports whether a live session can have these values.
func (s *Session) coherent() bool {
	for _, text := range s.shared() {
		if len(*text) > maxText {
			return false
		}
	}
	keys := (len(s.InKey) == 16 || len(s.InKey) == 32) && len(s.OutKey) == len(s.InKey) && len(s.InIV) == 4 && len(s.OutIV) == 4
	return keys && s.Records != nil && s.Window != nil && s.Addr.IsValid() && s.Addr.Addr().Zone() == "" && s.Local.Zone() == "" &&
		s.ID > 0 && s.Epoch > 0 && (s.HasCertificate || !s.Bound) && s.Binding <= wire.BindingExporter && s.Issuer != "" &&
		s.Subject != "" && len(s.Subject) <= maxText && s.Ends >= 0 &&
		s.Standing.coherent() && (s.Next == nil || s.Next.Standing.coherent()) && (s.Lanes == nil || s.Lanes.coherent())
}

func (s *Standing) coherent() bool {
	return s.Expires > 0 && s.Issued >= 0 && s.TokenID != "" && max(len(s.TokenID), len(s.SignIn), len(s.KeyID)) <= maxText && sealable(s.Identity)
}
