package main

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sallyport/sallyport/dev"
)

// newCertificate is the program with -new-cert.
func newCertificate(f *flags, stdout, stderr io.Writer) int {
	cert, key := cmp.Or(f.cert, "cert.pem"), cmp.Or(f.key, "key.pem")
	pin, err := writeCertificate(strings.Split(f.newCert, ","), cert, key)
	if err != nil {
		fmt.Fprintf(stderr, "server: -new-cert: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stdout, `certificate  %s, for %s and this machine, good for 30 days
key          %s, for this server alone
pin          %x

No authority has signed it. Players trust it by the file (ClientConfig.RootCAs, client -ca %s) or by the pin
(ClientConfig.Pin). Next: server -cert %s -key %s -issuer … -audience … -keys …
`, cert, f.newCert, key, pin, cert, cert, key)
	return exitOK
}

// writeCertificate writes a fresh certificate and its key to files that must not exist yet, and
// returns the certificate's SHA-256.
func writeCertificate(hosts []string, certFile, keyFile string) (pin [32]byte, err error) {
	cert, err := dev.NewCertificate(hosts...)
	if err != nil {
		return pin, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return pin, err
	}
	if err := writeNew(keyFile, 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: key}); err != nil {
		return pin, err
	}
	if err := writeNew(certFile, 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}); err != nil {
		os.Remove(keyFile) //nolint:errcheck // err says more
		return pin, err
	}
	return sha256.Sum256(cert.Certificate[0]), nil
}

// writeNew writes a PEM file, or nothing: half a key is of no use. What is there already is kept: it
// may be in use.
func writeNew(path string, mode os.FileMode, block *pem.Block) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if os.IsExist(err) {
		return fmt.Errorf("%s exists: remove it, or name other files by -cert and -key", path)
	}
	if err != nil {
		return err
	}
	err = pem.Encode(file, block)
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(path) //nolint:errcheck // err says more
	}
	return err
}
