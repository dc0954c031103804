package gameserver

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/token"
)

// What Save writes into a folder.
const (
	savedCertificate = "server.crt"
	savedKey         = "server.key"
	savedIssuer      = "issuer.key"
)

// Save writes d into a folder, for LoadDev in other processes: mode 0600, since whoever reads it can be any player.
func (d *Dev) Save(folder string) error {
	key, err := x509.MarshalPKCS8PrivateKey(d.Certificate.PrivateKey)
	if err != nil {
		return err
	}
	issuer, err := d.Issuer.Key().PEM()
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		savedCertificate: d.CA,
		savedKey:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		savedIssuer:      issuer,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// LoadDev reads what Save wrote: the same certificate, and an issuer with the same key.
func LoadDev(folder string) (*Dev, error) {
	at := func(name string) string { return filepath.Join(folder, name) }
	d := &Dev{}
	var err error
	if d.Certificate, err = tls.LoadX509KeyPair(at(savedCertificate), at(savedKey)); err != nil {
		return nil, err
	}
	if d.CA, err = os.ReadFile(at(savedCertificate)); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(at(savedIssuer))
	if err != nil {
		return nil, err
	}
	key, err := token.ParseSigningKey(text)
	if err != nil {
		return nil, err
	}
	d.Issuer, err = devIssuer(key)
	return d, err
}
