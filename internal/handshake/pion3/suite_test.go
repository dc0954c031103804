package pion3_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"net"
	"testing"

	"github.com/pion/dtls/v3"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"

	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/handshake/pion3"
)

func TestSuite(t *testing.T) { enginetest.Suite(t, pion3.Engine{}, pion3.Engine{}) }

func TestNative(t *testing.T) { enginetest.NativeSuite(t, pion3.Engine{}, library{}) }

// "v3: nonce = write IV | epoch<<48|seq": its Finished spends the nonce of its record number, behind our counter.
func TestSpentNonces(t *testing.T) {
	sc, cc := enginetest.Configs(t, false)
	p := enginetest.Run(t, &enginetest.Link{}, pion3.Engine{}, pion3.Engine{}, sc, cc)
	p.Check(t)
	for _, s := range [][]uint64{p.ServerRes.Secrets.Spent, p.ClientRes.Secrets.Spent} {
		if len(s) != 1 || s[0] != 1<<48 {
			t.Errorf("spent nonces %x", s)
		}
	}
}

// elsewhere signs as a TPM or a key service does: nobody here has its key.
type elsewhere struct{ crypto.Signer }

// "v3 signs by crypto.Signer, wherever the key is", at both ends.
func TestSigner(t *testing.T) {
	for _, isRSA := range []bool{false, true} {
		sc, cc := enginetest.Configs(t, isRSA)
		opaque := *sc.Certificate()
		opaque.PrivateKey = elsewhere{opaque.PrivateKey.(crypto.Signer)}
		sc.Certificate, cc.Certificate = enginetest.Fixed(&opaque), enginetest.Fixed(&opaque)
		sc.ClientAuth = tls.RequireAnyClientCert
		enginetest.Run(t, &enginetest.Link{}, pion3.Engine{}, pion3.Engine{}, sc, cc).Check(t)
	}
}

// library is pion/dtls v3 as its authors mean it to be used.
type library struct{}

type conn struct{ *dtls.Conn }

func (c conn) Export(label string, n int) ([]byte, error) {
	state, _ := c.ConnectionState()
	return state.ExportKeyingMaterial(label, nil, n)
}

func options(nc enginetest.NativeConfig) (opts []dtls.Option) {
	opts = append(opts, dtls.WithRootCAs(nc.Pool), dtls.WithServerName(enginetest.ServerName))
	if nc.Certificate != nil {
		opts = append(opts, dtls.WithCertificates(*nc.Certificate))
	}
	if nc.NoEMS {
		opts = append(opts, dtls.WithExtendedMasterSecret(dtls.DisableExtendedMasterSecret))
	}
	var suites []dtls.CipherSuiteID
	for _, s := range nc.Suites {
		suites = append(suites, dtls.CipherSuiteID(s))
	}
	if suites != nil {
		opts = append(opts, dtls.WithCipherSuites(suites...))
	}
	return opts
}

func (library) Client(ctx context.Context, c net.Conn, nc enginetest.NativeConfig) (enginetest.NativeConn, error) {
	var opts []dtls.ClientOption
	for _, o := range options(nc) {
		opts = append(opts, o)
	}
	got, err := dtls.ClientWithOptions(dtlsnet.PacketConnFromConn(c), c.RemoteAddr(), opts...)
	return finish(ctx, got, err)
}

func (library) Server(ctx context.Context, c net.Conn, nc enginetest.NativeConfig) (enginetest.NativeConn, error) {
	var opts []dtls.ServerOption
	for _, o := range options(nc) {
		opts = append(opts, o)
	}
	got, err := dtls.ServerWithOptions(dtlsnet.PacketConnFromConn(c), c.RemoteAddr(), opts...)
	return finish(ctx, got, err)
}

func finish(ctx context.Context, c *dtls.Conn, err error) (enginetest.NativeConn, error) {
	if err == nil {
		err = c.HandshakeContext(ctx)
	}
	if err != nil {
		return nil, err
	}
	return conn{c}, nil
}
