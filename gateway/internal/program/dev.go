package program

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/internal/hosts"
	"github.com/sallyport/sallyport/token"
)

// devIssuer is an identity provider and a certificate for development.
type devIssuer struct {
	issuer      *token.Issuer
	certificate tls.Certificate
}

func newDevIssuer(listen string) (*devIssuer, error) {
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: dev.Issuer, Audience: "sallyport-arena"})
	if err != nil {
		return nil, err
	}
	var names []string
	if host, _, _ := net.SplitHostPort(listen); host != "" {
		names = append(names, host)
	}
	certificate, err := dev.NewCertificate(names...)
	return &devIssuer{issuer, certificate}, err
}

// write tells clients on this machine how to join: it is what "server -dev" of the examples writes.
func (d *devIssuer) write(path, players, status string) error {
	b, err := json.MarshalIndent(map[string]string{
		"addr":      players,
		"ca_pem":    string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.certificate.Certificate[0]})),
		"token_url": "http://" + status + "/token",
	}, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".sallyport-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // it has another name if all went well
	_, err = tmp.Write(append(b, '\n'))
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// token mints what the caller asks for. A web page in a browser on this machine could ask as well: the
// Host that it must send is not ours.
func (d *devIssuer) token(w http.ResponseWriter, r *http.Request) {
	if !hosts.Loopback(r.Host) {
		http.Error(w, "ask for tokens at a loopback address", http.StatusForbidden)
		return
	}
	g := token.Grant{
		Subject: r.FormValue("subject"), Scope: r.FormValue("scope"), Platform: r.FormValue("platform"), Build: r.FormValue("build"),
	}
	var err error
	if life := r.FormValue("life"); life != "" {
		if g.Life, err = time.ParseDuration(life); err != nil {
			http.Error(w, "life must be a duration such as 10m", http.StatusBadRequest)
			return
		}
	}
	t, err := d.issuer.Mint(time.Now(), g)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, t) //nolint:errcheck // the player has gone
}

// login answers dev.SignIn, as a dev.Login does: GET /?name=alice. players is the address for players;
// where it names no host, a client gets the one at which it has asked.
func (d *devIssuer) login(w http.ResponseWriter, r *http.Request, players netip.AddrPort) {
	if !hosts.Loopback(r.Host) {
		http.Error(w, "ask for tokens at a loopback address", http.StatusForbidden)
		return
	}
	t, err := d.issuer.Mint(time.Now(), token.Grant{Subject: r.FormValue("name")})
	if err != nil {
		http.Error(w, "give a name: ?name=alice", http.StatusBadRequest)
		return
	}
	host := players.Addr().String()
	if players.Addr().IsUnspecified() {
		if host, _, err = net.SplitHostPort(r.Host); err != nil {
			host = r.Host
		}
	}
	pin := sha256.Sum256(d.certificate.Certificate[0])
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string]string{ //nolint:errcheck // the player has gone
		"address": net.JoinHostPort(host, strconv.Itoa(int(players.Port()))), "pin": hex.EncodeToString(pin[:]), "token": t,
	})
}
