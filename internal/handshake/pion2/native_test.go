package pion2_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/pion/dtls/v2"

	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/handshake/pion2"
)

// library is pion/dtls v2 as its authors mean it to be used.
type library struct{}

type conn struct{ *dtls.Conn }

func (c conn) Export(label string, n int) ([]byte, error) {
	state := c.ConnectionState()
	return state.ExportKeyingMaterial(label, nil, n)
}

func config(nc enginetest.NativeConfig) *dtls.Config {
	c := &dtls.Config{RootCAs: nc.Pool, ServerName: enginetest.ServerName, SignatureSchemes: nc.Schemes}
	if nc.Certificate != nil {
		c.Certificates = []tls.Certificate{*nc.Certificate}
	}
	if nc.NoEMS {
		c.ExtendedMasterSecret = dtls.DisableExtendedMasterSecret
	}
	for _, s := range nc.Suites {
		c.CipherSuites = append(c.CipherSuites, dtls.CipherSuiteID(s))
	}
	return c
}

func (library) Client(ctx context.Context, c net.Conn, nc enginetest.NativeConfig) (enginetest.NativeConn, error) {
	got, err := dtls.ClientWithContext(ctx, c, config(nc))
	if err != nil {
		return nil, err
	}
	return conn{got}, nil
}

func (library) Server(ctx context.Context, c net.Conn, nc enginetest.NativeConfig) (enginetest.NativeConn, error) {
	got, err := dtls.ServerWithContext(ctx, c, config(nc))
	if err != nil {
		return nil, err
	}
	return conn{got}, nil
}

func TestNative(t *testing.T) { enginetest.NativeSuite(t, pion2.Engine{}, library{}) }
