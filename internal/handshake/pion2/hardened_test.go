package pion2

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"hash"
	"slices"
	"testing"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/dtls/v2/pkg/crypto/prf"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/handshake/internal/engine"
	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/record"
)

// "AEAD suites only", "SignatureSchemes given explicitly, without Ed25519, on client and server" (the default has
// it, and comes back with an empty list), "ExtendedMasterSecret Require", "no SessionStore", "no PSK", "MTU-25".
func TestHardened(t *testing.T) {
	ecdsa := []dtls.CipherSuiteID{0xc02b, 0xc02c}
	rsa := []dtls.CipherSuiteID{0xc02f, 0xc030}
	check := func(name string, c *dtls.Config, err error, suites []dtls.CipherSuiteID) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.CipherSuites, suites) || c.CustomCipherSuites != nil {
			t.Errorf("%s: suites %v", name, c.CipherSuites)
		}
		if !slices.Equal(c.SignatureSchemes, []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PKCS1WithSHA256}) || c.InsecureHashes {
			t.Errorf("%s: signature schemes %v", name, c.SignatureSchemes)
		}
		if c.ExtendedMasterSecret != dtls.RequireExtendedMasterSecret || c.SessionStore != nil || c.PSK != nil {
			t.Errorf("%s: master secret, sessions or PSK", name)
		}
		if c.InsecureSkipVerify || c.InsecureSkipVerifyHello || c.VerifyPeerCertificate == nil {
			t.Errorf("%s: verification", name)
		}
		if c.MTU != 1175 || c.FlightInterval != 200*time.Millisecond || c.LoggerFactory == nil {
			t.Errorf("%s: MTU %d, interval %v", name, c.MTU, c.FlightInterval)
		}
	}
	for _, isRSA := range []bool{false, true} {
		sc, cc := enginetest.Configs(t, isRSA)
		c, err := served(sc)
		check("server", c, err, map[bool][]dtls.CipherSuiteID{false: ecdsa, true: rsa}[isRSA])
		c, err = clientConfig(cc)
		check("client", c, err, append(slices.Clone(ecdsa), rsa...))
	}
}

// served is the configuration of a server before a client has offered something.
func served(cfg *handshake.Config) (*dtls.Config, error) {
	l, err := engine.Server(cfg, signers)
	if err != nil {
		return nil, err
	}
	return serverConfig(cfg, l), nil
}

// "NoClientCert, RequestClientCert, RequireAnyClientCert, RequireAndVerifyClientCert", whatever their numbers are.
func TestClientAuthTranslation(t *testing.T) {
	sc, cc := enginetest.Configs(t, false)
	sc.ClientCAs = cc.RootCAs
	for ours, theirs := range map[tls.ClientAuthType]dtls.ClientAuthType{
		tls.NoClientCert: dtls.NoClientCert, tls.RequestClientCert: dtls.RequestClientCert,
		tls.RequireAnyClientCert: dtls.RequireAnyClientCert, tls.RequireAndVerifyClientCert: dtls.RequireAndVerifyClientCert,
	} {
		sc.ClientAuth = ours
		if c, err := served(sc); err != nil || c.ClientAuth != theirs {
			t.Errorf("%v becomes %v, %v", ours, c.ClientAuth, err)
		}
	}
}

// The key block is that of prf.GenerateEncryptionKeys, for all suites and both ends: a record sealed with pion's
// keys by crypto/cipher is the record we seal.
func TestKeyBlock(t *testing.T) {
	for suite, p := range map[record.Suite]struct {
		keyLen int
		hash   func() hash.Hash
	}{
		record.ECDSAWithAES128: {16, sha256.New}, record.RSAWithAES128: {16, sha256.New},
		record.ECDSAWithAES256: {32, sha512.New384}, record.RSAWithAES256: {32, sha512.New384},
	} {
		s := record.Secrets{Suite: suite, Master: [48]byte{1, 2, 3}, ClientRandom: [32]byte{4}, ServerRandom: [32]byte{5}}
		k, err := prf.GenerateEncryptionKeys(s.Master[:], s.ClientRandom[:], s.ServerRandom[:], 0, p.keyLen, 4, p.hash)
		if err != nil {
			t.Fatal(err)
		}
		for isClient, half := range map[bool][2][]byte{true: {k.ClientWriteKey, k.ClientWriteIV}, false: {k.ServerWriteKey, k.ServerWriteIV}} {
			c, err := record.New(&s, isClient, 3, 0)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Seal(nil, record.ApplicationData, []byte("text"))
			if err != nil {
				t.Fatal(err)
			}
			block, _ := aes.NewCipher(half[0])
			aead, _ := cipher.NewGCM(block)
			seq := []byte{0, 1, 0, 0, 0, 0, 0, 3}
			want := aead.Seal(nil, append(slices.Clone(half[1]), seq...), []byte("text"), append(slices.Clone(seq), 23, 0xfe, 0xfd, 0, 4))
			if !bytes.Equal(got[record.Prefix:], want) || !bytes.Equal(got[record.HeaderLen:record.Prefix], seq) {
				t.Errorf("%v client %v: got %x, want %x", suite, isClient, got[record.Prefix:], want)
			}
		}
	}
}

// A configuration that cannot be used leaves a Conn that takes nothing.
func TestUnusableConfigCloses(t *testing.T) {
	c := handshake.NewConn(true, nil, nil, func([]byte) {})
	if _, err := (Engine{}).Server(t.Context(), c, nil); err == nil {
		t.Fatal("no error")
	}
	if _, err := c.Read(nil); err == nil {
		t.Error("still open")
	}
}
