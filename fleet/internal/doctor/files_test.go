package doctor

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit/chain"
	"github.com/sallyport/sallyport/internal/testkit"
)

// pair writes cert.pem and key.pem into a folder.
func pair(t *testing.T, dir string, c *tls.Certificate) (cert string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert = filepath.Join(dir, "cert.pem")
	var text strings.Builder
	for _, der := range c.Certificate {
		pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	write(t, cert, text.String(), 0o644)
	write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), 0o600)
	return cert
}

// fleetKey is a line of a file of fleet keys.
func fleetKey(t *testing.T) string {
	t.Helper()
	text, err := testkit.FleetKey(t).Text()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	a := testkit.NewAuthority(t)
	good := a.Server(t)
	e := healthy(t)
	check := func(name string, c *tls.Certificate, s state, text string) {
		t.Helper()
		dir := t.TempDir()
		e.cert, e.key = pair(t, dir, c), filepath.Join(dir, "key.pem")
		checkCertificate(e).want(t, name, s, text)
	}
	check("P-256", good, stateWarn, "ECDSA P-256 for localhost, 127.0.0.1, ::1, until 2100-01-01; it comes alone")
	check("RSA", a.ServerRSA(t), stateWarn, "RSA of 2048 bits")
	chained := *good
	chained.Certificate = append(chained.Certificate, a.Certificate().Raw)
	check("with its authority", &chained, stateWarn, "Clients must have its authority")

	selfSigned := func(key any, public any, from, until time.Time) *tls.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(7), DNSNames: []string{"a.test"}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, c, c, public, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	now := time.Now()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	public, ed, _ := ed25519.GenerateKey(nil)
	day := 24 * time.Hour
	check("self-signed", selfSigned(key, &key.PublicKey, now.Add(-day), now.Add(90*day)), stateWarn, "self-signed")
	check("P-384", selfSigned(p384, &p384.PublicKey, now.Add(-day), now.Add(90*day)), stateFail, "must be ECDSA P-256, or RSA of at least 2048 bits")
	check("Ed25519", selfSigned(ed, public, now.Add(-day), now.Add(90*day)), stateFail, "must be ECDSA P-256")
	check("expired", selfSigned(key, &key.PublicKey, now.Add(-2*day), now.Add(-day)), stateFail, "has expired on")
	check("early", selfSigned(key, &key.PublicKey, now.Add(day), now.Add(2*day)), stateFail, "not valid before")
	check("expires soon", selfSigned(key, &key.PublicKey, now.Add(-day), now.Add(13*day+time.Hour)), stateWarn, "which is in 13 days")
	check("expires very soon", selfSigned(key, &key.PublicKey, now.Add(-day), now.Add(90*time.Minute+time.Second)), stateWarn, "which is in 1h30m0s")

	e.name = "localhost,play.example.com"
	check("another name", good, stateFail, `is not for "play.example.com", but for localhost`)
	e.name = "localhost"
	check("its name", good, stateWarn, "ECDSA")
	if runtime.GOOS != "windows" {
		if err := os.Chmod(e.key, 0o640); err != nil {
			t.Fatal(err)
		}
		checkCertificate(e).want(t, "key for others", stateFail, "chmod 600 "+e.key)
	}
	write(t, e.key, "junk", 0o600)
	checkCertificate(e).want(t, "junk", stateFail, "leaf first")
	e.key = "/missing/key"
	checkCertificate(e).want(t, "no key", stateFail, "there is no /missing/key")
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	rsa, ec := string(testkit.NewIDP(t).JWKS()), string(testkit.NewIssuer(t).JWKS())
	for name, c := range map[string]struct {
		status int
		body   string
		want   state
		text   string
	}{
		"RS256":       {200, rsa, stateOK, "keys for RS256: \""},
		"ES256":       {200, ec, stateOK, "keys for ES256: \""},
		"no answer":   {503, rsa, stateFail, "it answers 503"},
		"a page":      {200, "<html>", stateFail, "it is no JWK set"},
		"no keys":     {200, `{"keys":[]}`, stateFail, "no key that a server takes"},
		"other keys":  {200, `{"keys":[{"kty":"EC","crv":"P-521","kid":"a\u001b","alg":"ES512"}]}`, stateFail, `"a` + `\x1b" (EC P-521 ES512)`},
		"private key": {200, `{"keys":[{"kty":"RSA","kid":"a","d":"AQAB"}]}`, stateFail, "publishes the private key"},
		"endless":     {200, strings.Repeat("x", 70_000), stateFail, "longer than 65536 bytes"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			w.Write([]byte(c.body)) //nolint:errcheck // the other end has enough
		}))
		e := healthy(t)
		e.jwks = s.URL
		e.fetchKeys(t.Context())
		checkIssuer(e).want(t, name, c.want, c.text)
		e.keys.Took = slowFetch + 1
		if c.want == stateOK {
			checkIssuer(e).want(t, name+", slow", stateWarn, "at a rotation players wait for it")
		}
		s.Close()
		e.fetchKeys(t.Context())
		checkIssuer(e).want(t, name+", gone", stateFail, "connection refused")
	}
	elsewhere := httptest.NewServer(http.RedirectHandler("http://localhost:1/", http.StatusFound))
	defer elsewhere.Close()
	for jwks, text := range map[string]string{elsewhere.URL: "redirects elsewhere", "http://id.example.com/jwks.json": "https", "nonsense": "URL"} {
		e := healthy(t)
		e.jwks = jwks
		e.fetchKeys(t.Context())
		checkIssuer(e).want(t, jwks, stateFail, text)
	}
	e := healthy(t)
	e.pool = "nonsense"
	e.fetchKeys(t.Context())
	checkIssuer(e).want(t, "a bad pool", stateFail, "Pool must be like")
}

func TestFleetKeys(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	e.fleetKeys = filepath.Join(t.TempDir(), "keys")
	checkFleetKeys(e).want(t, "none", stateFail, "there is no "+e.fleetKeys)
	first, second := fleetKey(t), fleetKey(t)
	write(t, e.fleetKeys, first+second, 0o600)
	checkFleetKeys(e).want(t, "two", stateOK, "2 keys, ")
	for text, want := range map[string]string{"": "there is no key in it", "junk": e.fleetKeys + ": ", first + first: e.fleetKeys + ": "} {
		write(t, e.fleetKeys, text, 0o600)
		checkFleetKeys(e).want(t, want, stateFail, want)
	}
	if runtime.GOOS != "windows" {
		write(t, e.fleetKeys, first, 0o604)
		checkFleetKeys(e).want(t, "readable", stateFail, "chmod 600")
	}
	e.fleetKeys = t.TempDir()
	checkFleetKeys(e).want(t, "a folder", stateFail, "no regular file")
}

func TestAudit(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	dir := t.TempDir()
	e.audit = filepath.Join(dir, "audit")
	checkAudit(e).want(t, "new", stateOK, "no chain")
	for free, s := range map[uint64]state{roomFail - 1: stateFail, roomFail: stateWarn, roomWarn - 1: stateWarn, roomWarn: stateOK, 7: stateFail} {
		e.host.room = func(string) (uint64, error) { return free, nil }
		checkAudit(e).want(t, size(free), s, size(free)+" free")
	}
	e.host.room = func(string) (uint64, error) { return 0, errUnknown }
	checkAudit(e).want(t, "unknown room", stateOK, "can be written")
	write(t, e.audit, "", 0o666)
	checkAudit(e).want(t, "others write", stateFail, "chmod 600 "+e.audit)
	e.audit = filepath.Join(dir, "missing", "audit")
	checkAudit(e).want(t, "no folder", stateFail, "install -d")
	e.audit = filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(e.audit, 0o700); err != nil {
		t.Fatal(err)
	}
	checkAudit(e).want(t, "a folder", stateFail, "is a directory")
	e.audit = "/proc/sallyport-audit" // where not even root makes files
	checkAudit(e).want(t, "a folder of somebody else", stateFail, "cannot be written")

	e.audit = filepath.Join(dir, "audit")
	os.Chmod(e.audit, 0o600)
	e.auditKey = filepath.Join(dir, "key")
	checkAudit(e).want(t, "no key", stateFail, "there is no "+e.auditKey)
	private, public, err := chain.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	write(t, e.auditKey, string(public), 0o600)
	checkAudit(e).want(t, "public key", stateFail, "sallyport audit keygen")
	write(t, e.auditKey, string(private), 0o644)
	checkAudit(e).want(t, "key for others", stateFail, "chmod 600")
	write(t, e.auditKey, string(private), 0o600)
	checkAudit(e).want(t, "key", stateOK, " signs")
	e.audit = ""
	checkAudit(e).want(t, "key alone", stateOK, "key ")
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	dir := t.TempDir()
	e.snapshot = filepath.Join(dir, "snapshot")
	checkSnapshot(e).want(t, "no keys", stateFail, "-fleet-keys")
	e.fleetKeys = "keys"
	os.Chmod(dir, 0o700)
	checkSnapshot(e).want(t, "folder", stateOK, "by its owner alone")
	os.Chmod(dir, 0o770)
	checkSnapshot(e).want(t, "shared folder", stateFail, "chmod 700 "+dir)
	os.Chmod(dir, 0o777|os.ModeSticky)
	if r := checkSnapshot(e); r.State != stateFail || strings.Contains(r.Do, "chmod") || !strings.Contains(r.Do, "a folder of its own") {
		t.Errorf("everybody's folder: %+v", r)
	}
	e.snapshot = filepath.Join(dir, "missing", "snapshot")
	checkSnapshot(e).want(t, "no folder", stateFail, "there is no folder")
	e.snapshot = "/proc/sallyport-snapshot"
	checkSnapshot(e).want(t, "a folder of somebody else", stateFail, "cannot be written")
}

func TestFiles(t *testing.T) {
	t.Parallel()
	e := healthy(t)
	for n, s := range map[uint64]state{filesFail - 1: stateFail, filesFail: stateWarn, filesWarn - 1: stateWarn, filesWarn: stateOK} {
		e.host.files = func() (uint64, error) { return n, nil }
		checkFiles(e).want(t, "files", s, "may open ")
	}
	e.host.files = func() (uint64, error) { return 0, errUnknown }
	checkFiles(e).want(t, "unknown", stateSkip, "does not tell")
}

func TestProgram(t *testing.T) {
	t.Parallel()
	build := func(goVersion string, settings ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{GoVersion: goVersion, Main: debug.Module{Path: "game"}, Deps: []*debug.Module{{Path: library}}}
		for i := 0; i < len(settings); i += 2 {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
		}
		return info
	}
	for name, c := range map[string]struct {
		info *debug.BuildInfo
		want state
		text string
	}{
		"good":         {build("go1.26.5"), stateOK, "engine pion/dtls/v2"},
		"other engine": {build("go1.27.1", "-tags", "x,sallyport_pion3", "vcs.revision", "0123456789abcdef"), stateOK, "engine pion/dtls/v3, revision 0123456789ab"},
		"experiment":   {build("go1.26.5 X:y"), stateOK, "go1.26.5 X:y"},
		"old":          {build("go1.26.4"), stateFail, "Build it with go1.26.5"},
		"race":         {build("go1.26.5", "-race", "true"), stateWarn, "race detector"},
		"modified":     {build("go1.26.5", "vcs.modified", "true"), stateWarn, "in no commit"},
		"another's":    {&debug.BuildInfo{GoVersion: "go1.26.5"}, stateFail, "does not link"},
	} {
		judgeBuild("x", c.info, true).want(t, name, c.want, c.text)
	}
	e := healthy(t)
	checkProgram(e).want(t, "this one", stateOK, "this program: go1.26.5")
	e.host.build = func() (*debug.BuildInfo, bool) { return nil, false }
	checkProgram(e).want(t, "unknown", stateSkip, "does not tell")
	e.program = os.Args[0]
	if r := checkProgram(e); !strings.Contains(r.Found, e.program+": go1.") {
		t.Errorf("this one by name: %+v", r)
	}
	e.program, _ = exec.LookPath("sh")
	checkProgram(e).want(t, "sh", stateFail, "as the go command has built it")
	e.program = "/missing/program"
	checkProgram(e).want(t, "none", stateFail, "no such file")
}
