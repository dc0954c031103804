// Package engine is shared by the engines of package handshake: it has the rules that configure
// both, and turns the state of a pion connection into a handshake.Result. It imports neither of
// them.
package engine

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
)

// mtuSlack is the difference to pion's MTU setting, which counts only the body of a handshake
// message: a record header and a message header.
const mtuSlack = 25

// Schemes are the signatures that either end makes and takes. A client takes both kinds, because it
// does not know its server's key. That is safe with an engine that does not compare the scheme
// named with the key that signed, as v2 does not: both hash with SHA-256 and the key decides on the
// algorithm, so a wrong name proves no less. What would prove nothing is Ed25519, for which nothing
// is hashed: it must never be in this list, and an empty list would contain it.
func Schemes() []tls.SignatureScheme {
	return []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PKCS1WithSHA256}
}

// ClientSuites are offered by a client, in its order of preference.
func ClientSuites() []record.Suite {
	return append(suites(false), suites(true)...)
}

// suites returns those for a server with an RSA or an ECDSA key.
func suites(rsa bool) []record.Suite {
	if rsa {
		return []record.Suite{record.RSAWithAES128, record.RSAWithAES256}
	}
	return []record.Suite{record.ECDSAWithAES128, record.ECDSAWithAES256}
}

// Local is the configuration of one end, checked.
type Local struct {
	Certificate *tls.Certificate // nil for a client without
	Suites      []record.Suite
	Groups      []uint16
	MTU         int // as pion counts it
}

// Server checks the configuration of a server. It asks for the certificate once. signers reports
// whether the engine can use keys behind a crypto.Signer.
func Server(cfg *handshake.Config, signers bool) (Local, error) {
	l, err := local(cfg, signers)
	switch {
	case err != nil:
		return Local{}, err
	case l.Certificate == nil:
		return Local{}, handshake.ErrConfig
	}
	switch cfg.ClientAuth {
	case tls.NoClientCert, tls.RequestClientCert, tls.RequireAnyClientCert:
	case tls.RequireAndVerifyClientCert:
		if cfg.ClientCAs == nil { // would mean: any that the host trusts
			return Local{}, handshake.ErrConfig
		}
	default:
		return Local{}, handshake.ErrConfig
	}
	_, isRSA := l.Certificate.PrivateKey.(crypto.Signer).Public().(*rsa.PublicKey) // which CheckKey has seen
	l.Suites = suites(isRSA)
	return l, nil
}

// Accept checks the configuration of a server, and waits for the ClientHello. The result names the
// one suite and the one group for the engine to choose, because pion follows the client's order,
// which is not always in the client's interest: Mbed TLS 2.28 signs with the hash of the suite,
// whatever it is asked for, so that with AES-256 it has no signature of Schemes. Accept closes the
// Conn if it fails.
func Accept(ctx context.Context, c *handshake.Conn, cfg *handshake.Config, signers bool) (Local, error) {
	l, err := Server(cfg, signers)
	if err != nil {
		_ = c.Close()
		return Local{}, err
	}
	suite, group, err := c.Accept(ctx, l.Suites)
	if err != nil {
		return Local{}, Failed(c, cfg, false, err)
	}
	l.Suites, l.Groups = []record.Suite{suite}, []uint16{group}
	return l, nil
}

// Client checks the configuration of a client; for signers see Server.
func Client(cfg *handshake.Config, signers bool) (Local, error) {
	l, err := local(cfg, signers)
	if err != nil {
		return Local{}, err
	}
	if cfg.ServerName == "" && cfg.Pin == nil { // would accept any server that the authorities know
		return Local{}, handshake.ErrConfig
	}
	l.Suites = ClientSuites()
	return l, nil
}

// local checks the configuration that both ends have in common.
func local(cfg *handshake.Config, signers bool) (Local, error) {
	if cfg == nil {
		return Local{}, handshake.ErrConfig
	}
	mtu, err := cfg.PayloadLimit()
	if err != nil {
		return Local{}, err
	}
	l := Local{MTU: mtu - mtuSlack, Groups: []uint16{handshake.P256, handshake.X25519}} // the first costs a quarter less
	if cfg.Certificate != nil {
		l.Certificate = cfg.Certificate()
	}
	if l.Certificate == nil {
		return l, nil
	}
	return l, handshake.CheckKey(l.Certificate, signers)
}

// VerifyPeer returns the callback for both engines, which they call after their own checks: the
// kind of key, and the name or the pin. v2 looks at no name at all when ServerName is an IP
// address.
func VerifyPeer(cfg *handshake.Config, isClient bool) func([][]byte, [][]*x509.Certificate) error {
	return func(raw [][]byte, _ [][]*x509.Certificate) error {
		leaf, err := leafOf(raw)
		if err != nil {
			return err
		}
		if isClient {
			return checkServer(cfg, leaf)
		}
		return nil
	}
}

// checkServer returns an error unless a server's certificate is the pinned one or, without a pin,
// is for the right name.
func checkServer(cfg *handshake.Config, leaf *x509.Certificate) error {
	if cfg.Pin == nil {
		return leaf.VerifyHostname(cfg.ServerName)
	}
	if sum := sha256.Sum256(leaf.Raw); subtle.ConstantTimeCompare(sum[:], cfg.Pin[:]) != 1 {
		return handshake.ErrPin
	}
	return nil
}

// leafOf parses the peer's own certificate and checks its key.
func leafOf(raw [][]byte) (*x509.Certificate, error) {
	if len(raw) == 0 {
		return nil, handshake.ErrKey
	}
	leaf, err := x509.ParseCertificate(raw[0])
	if err != nil {
		return nil, err
	}
	if !handshake.AcceptsKey(leaf.PublicKey) {
		return nil, handshake.ErrKey
	}
	return leaf, nil
}
