package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// DevDomain is the trust domain of a DevAuthority. A Source of it warns in the log and has an alarm
// in the audit.
const DevDomain = "sallyport-dev.invalid"

const (
	devAuthorityLife = 30 * 24 * time.Hour // nobody forgets it in a public game for longer
	devBackdate      = time.Minute         // other machines' clocks may be behind
)

// DevAuthority is an authority for development: it makes certificates for whoever has its directory.
type DevAuthority struct {
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewDevAuthority returns the authority whose key is in dir, or makes one there, good for 30 days.
// It logs a warning with slog that it is for development only.
func NewDevAuthority(dir string) (*DevAuthority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	a := &DevAuthority{dir: dir}
	err := a.load()
	if errors.Is(err, fs.ErrNotExist) {
		err = a.create()
	}
	if err != nil {
		return nil, fmt.Errorf("identity: development authority in %s: %w: remove the directory to begin anew", dir, err)
	}
	slog.Warn("DEVELOPMENT AUTHORITY: whoever can read its directory can be any service of the fleet", "directory", dir,
		"trust_domain", DevDomain, "not_after", a.certificate.NotAfter)
	return a, nil
}

// Issue makes a certificate of 24 hours for a service of this role, and writes its files into a
// directory of their own below that of the authority. Parts tell services of one role apart. A
// Source that uses the files picks up the new certificate.
func (a *DevAuthority) Issue(r Role, parts ...string) (Files, error) {
	id, err := spiffeid.FromPath(spiffeid.RequireTrustDomainFromString(DevDomain), r.Path(parts...))
	if err != nil {
		return Files{}, fmt.Errorf("identity: %w", err)
	}
	if r == NoRole || r >= numRoles {
		return Files{}, UnknownRole
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Files{}, err
	}
	c := devTemplate(id, defaultMaxLife-devBackdate)
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	leaf, err := devSign(c, a.certificate, key, a.key)
	if err != nil {
		return Files{}, err
	}
	dir := filepath.Join(append([]string{a.dir, r.String()}, parts...)...) // the id has been checked: no part is "..", or a path
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Files{}, err
	}
	f := Files{Certificate: filepath.Join(dir, "service.pem"), Key: filepath.Join(dir, "service.key"), Bundle: filepath.Join(dir, "bundle.pem")}
	svid := x509svid.SVID{ID: id, Certificates: []*x509.Certificate{leaf}, PrivateKey: key}
	certificate, secret, err := svid.Marshal()
	if err != nil {
		return Files{}, err
	}
	defer clear(secret)
	return f, errors.Join(replaceFile(f.Bundle, pemOf(a.certificate)), replaceFile(f.Key, secret), replaceFile(f.Certificate, certificate))
}

// load reads the authority's files.
func (a *DevAuthority) load() error {
	key, err := os.ReadFile(a.file("key"))
	if err != nil {
		return err
	}
	defer clear(key)
	certificate, err := os.ReadFile(a.file("pem"))
	if err != nil {
		return err
	}
	keyBlock, _ := pem.Decode(key)
	certBlock, _ := pem.Decode(certificate)
	if keyBlock == nil || certBlock == nil {
		return errors.New("its files are not PEM")
	}
	if a.key, err = x509.ParseECPrivateKey(keyBlock.Bytes); err != nil {
		return errors.New("its key cannot be read")
	}
	if a.certificate, err = x509.ParseCertificate(certBlock.Bytes); err != nil {
		return err
	}
	switch {
	case !a.key.PublicKey.Equal(a.certificate.PublicKey):
		return errors.New("its key is not that of its certificate")
	case time.Until(a.certificate.NotAfter) < defaultMaxLife:
		return errors.New("its certificate expires within a day")
	}
	return nil
}

// create makes a key and a certificate, and writes them.
func (a *DevAuthority) create() (err error) {
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	c := devTemplate(spiffeid.RequireTrustDomainFromString(DevDomain).ID(), devAuthorityLife)
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	if a.certificate, err = devSign(c, c, a.key, a.key); err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		return err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	defer clear(key)
	clear(der)
	return errors.Join(replaceFile(a.file("key"), key), replaceFile(a.file("pem"), pemOf(a.certificate)))
}

func (a *DevAuthority) file(ext string) string { return filepath.Join(a.dir, "authority."+ext) }

// devTemplate is a certificate that is good from a minute ago and for life from now on.
func devTemplate(id spiffeid.ID, life time.Duration) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "Sallyport development"}, URIs: []*url.URL{id.URL()},
		NotBefore: now.Add(-devBackdate), NotAfter: now.Add(life), BasicConstraintsValid: true,
	}
}

func devSign(c, parent *x509.Certificate, of, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, c, parent, of.Public(), by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// replaceFile writes a file that only its owner can read, as a whole or not at all.
func replaceFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // the error above says more
	}
	return err
}
