package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/plaindtls"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// fault is a row of docs/troubleshooting.md, and how it comes about.
type fault struct {
	server func(w *world, c *Config)
	client func(w *world, c *ClientConfig)

	// play takes the place of a server and a client that differ from good ones as above. It returns
	// the error of Dial, if there is one.
	play func(w *world) error

	resolves bool // play looks a name up, which takes the real world
}

// faults are the rows, by their first column.
var faults = map[string]fault{
	"Nobody answers": {play: func(w *world) error {
		w.serve()
		w.net.Tap(func(_, to netip.AddrPort, _ []byte) bool { return to != serverAddr })
		_, err := w.try(1)
		return err
	}},
	"Another program has the port": {play: func(w *world) error {
		return w.tryProgram(func([]byte) []byte { return []byte("220 ready") })
	}},
	"A program that returns what it gets has the port": {play: func(w *world) error {
		return w.tryProgram(func(b []byte) []byte { return b })
	}},
	"The server does not speak DTLS 1.2": {play: func(w *world) error {
		return w.tryProgram(func([]byte) []byte { return []byte{21, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 70} })
	}},
	"Another version of the protocol, at the server": {play: (*world).tryOtherServer},
	"Another version of the protocol, at the client": {play: (*world).tryOtherClient},

	"The address has no port": {play: func(w *world) error { return w.dialNobody("10.0.0.1") }},
	"The address has port 0":  {play: func(w *world) error { return w.dialNobody("10.0.0.1:0") }},
	"The host is unknown":     {play: func(w *world) error { return w.dialNobody("no host:7777") }, resolves: true},

	"The certificate is from another authority": {client: func(_ *world, c *ClientConfig) { c.RootCAs = x509.NewCertPool() }},
	"The certificate is for another host name":  {client: func(_ *world, c *ClientConfig) { c.ServerName = "play.example.com" }},
	"The certificate has expired": {play: func(w *world) error {
		leaf, err := x509.ParseCertificate(w.authority.Server(w).Certificate[0])
		if err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Until(leaf.NotAfter) - time.Second) // nothing runs yet
		w.serve()
		time.Sleep(2 * time.Second)
		_, err = w.try(1)
		return err
	}},
	"The certificate is not the pinned one": {client: func(_ *world, c *ClientConfig) { c.Pin = new([32]byte) }},
	"The client has no certificate":         {server: func(_ *world, c *Config) { c.ClientAuth = tls.RequireAnyClientCert }},
	"The client's certificate is refused": {
		server: func(_ *world, c *Config) {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		},
		client: func(w *world, c *ClientConfig) { c.Certificate = w.authority.Client(w, "alice") },
	},
	"A foreign client has no cipher suite in common": foreign([]uint16{0xc00a, 0x1301}, usual...),
	"A foreign client has no group in common":        foreign([]uint16{0xc02b}, []byte{0, 10, 0, 4, 0, 2, 0, 30}, usual[1]),
	"A foreign client has no extended master secret": foreign([]uint16{0xc02b}, usual[0]),
	"A foreign client takes none of the signature algorithms": foreign([]uint16{0xc02b}, usual[0], usual[1],
		[]byte{0, 13, 0, 4, 0, 2, 8, 7}),
	"A client stops in the middle of the handshake": foreign([]uint16{0xc02b}, usual...),

	"The token is for another audience": {client: func(w *world, c *ClientConfig) {
		c.Token = w.issued(token.IssuerConfig{Issuer: testkit.IssuerName, Audience: "other.test", Key: w.issuer.Key()})
	}},
	"The token is from another issuer": {client: func(w *world, c *ClientConfig) {
		c.Token = w.issued(token.IssuerConfig{Issuer: "https://other.test", Audience: testkit.Audience, Key: w.issuer.Key()})
	}},
	"The token's key is unknown": {client: func(w *world, c *ClientConfig) {
		c.Token = w.issued(token.IssuerConfig{Issuer: testkit.IssuerName, Audience: testkit.Audience})
	}},
	"The token's signature is wrong": {client: func(w *world, c *ClientConfig) {
		kid := regexp.MustCompile(`"kid":"([^"]*)"`).FindSubmatch(w.issuer.JWKS())
		c.Token = w.issued(token.IssuerConfig{Issuer: testkit.IssuerName, Audience: testkit.Audience, KeyID: string(kid[1])})
	}},
	"The clock of the login is ahead": {client: func(w *world, c *ClientConfig) {
		c.Token = func(context.Context) ([]byte, error) {
			raw, err := w.issuer.Mint(time.Now().Add(10*time.Minute), grantFor(1))
			return []byte(raw), err
		}
	}},
	"The token lives too long": {client: func(w *world, c *ClientConfig) {
		c.Token = w.issued(token.IssuerConfig{Issuer: testkit.IssuerName, Audience: testkit.Audience, Key: w.issuer.Key(), Life: time.Hour})
	}},
	"The token is of another type": {server: profile(func(p *token.Profile) { p.Type = "" })},
	"The token is signed by another algorithm": {server: profile(func(p *token.Profile) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		public, err := token.NewPublicKey("", token.RS256, &key.PublicKey)
		if err != nil {
			panic(err)
		}
		keys, err := token.NewStaticKeys(public)
		if err != nil {
			panic(err)
		}
		p.Algorithm, p.Keys = token.RS256, keys
	})},
	"The login cannot be reached": {client: func(_ *world, c *ClientConfig) {
		c.Token = func(context.Context) ([]byte, error) { return nil, errors.New("the login is down") }
	}},
	"The player is banned": {play: func(w *world) error {
		w.serve()
		if _, err := w.server.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: grantFor(1).Subject}); err != nil {
			w.Fatal(err)
		}
		_, err := w.try(1)
		return err
	}},
	"The match refuses the player": {play: func(w *world) error {
		w.serveWith(func(p *Player) bool {
			p.Refuse(session.ReasonGame+1, "level 3 is wanted")
			return true
		})
		_, err := w.try(1)
		return err
	}},
	"The token is garbage":                {client: tokenOf("<html>not found</html>")},
	"The token is empty":                  {client: tokenOf("")},
	"There is a newline behind the token": {client: func(w *world, c *ClientConfig) { tokenOf(w.issuer.Token(w, grantFor(1))+"\n")(w, c) }},
	"The token has expired": {client: func(w *world, c *ClientConfig) {
		c.Token = w.once(token.Grant{Subject: "alice", Scope: "match", Life: time.Second})
		time.Sleep(time.Minute)
	}},
	"The token is used twice": {client: func(w *world, c *ClientConfig) {
		tokenOf(w.issuer.Token(w, grantFor(2)))(w, c)
		w.dial(2, func(other *ClientConfig) { other.Token = c.Token })
	}},

	"The token is for another match":      {server: func(_ *world, c *Config) { c.Session.Scope = "another" }},
	"The client asks for another match":   {client: func(_ *world, c *ClientConfig) { c.Session.Scope = "another" }},
	"The server is full":                  {server: func(_ *world, c *Config) { c.Session.MaxSessions = -1 }},
	"The issuer's keys cannot be fetched": {server: func(_ *world, c *Config) { c.Verifier = verdict{token.ErrUnavailable} }},
	"The client wants no binding":         {client: func(_ *world, c *ClientConfig) { c.Session.Unbound = true }},
	"The build's name is too long": {client: func(_ *world, c *ClientConfig) {
		c.Session.Fingerprint.Build = strings.Repeat("b", 129)
	}},
	"The client has another build than the token": {client: func(w *world, c *ClientConfig) {
		c.Token = w.tokens(token.Grant{Subject: "alice", Scope: "match", Build: "1.2"})
		c.Session.Fingerprint.Build = "1.1"
	}},
}

// Every row of docs/troubleshooting.md comes about as it says, on both sides, and no fault is played
// that has no row.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 5 || strings.TrimSpace(cells[0]) == "fault" {
			continue
		}
		rows++
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		t.Run(cells[0], func(t *testing.T) {
			if strings.HasPrefix(cells[0], "Nobody listens ") {
				nobodyListens(t, cells)
				return
			}
			if play, ok := midway[cells[0]]; ok {
				virtual(t, func(w *world) { w.stops(t, play, cells) })
				return
			}
			f, ok := faults[cells[0]]
			if !ok {
				t.Fatal("no fault is played for this row")
			}
			if f.resolves {
				loopback(t, func(w *world) { agree(t, "the player's program", cells[1], f.play(w)) })
				return
			}
			virtual(t, func(w *world) { f.compare(w, cells) })
		})
	}
	if played := len(faults) + len(midway) + 1; rows != played {
		t.Errorf("%d rows, and %d faults are played", rows, played)
	}
}

// compare has the fault come about, and compares both sides with the row.
func (f fault) compare(w *world, cells []string) {
	play := f.play
	if play == nil {
		play = func(w *world) error {
			w.serve(func(c *Config) {
				if f.server != nil {
					f.server(w, c)
				}
			})
			_, err := w.try(1, func(c *ClientConfig) {
				if f.client != nil {
					f.client(w, c)
				}
			})
			return err
		}
	}
	agree(w.T, "the player's program", cells[1], play(w))
	time.Sleep(10 * time.Second)
	synctest.Wait()
	if w.server == nil {
		return
	}
	var rejected []string
	for _, e := range w.audit.all() {
		if e.Decision == audit.Reject {
			cause := e.Cause
			if cause == "" {
				cause = e.Detail
			}
			rejected = append(rejected, fmt.Sprintf("`%v: %s`", e.Reason, cause))
		}
	}
	if got := strings.Join(rejected, ", "); got != cells[2] && (got != "" || cells[2] != "nothing") {
		w.Errorf("the audit says %s, and the table %s", got, cells[2])
	}
	stats := w.server.Stats()
	counts := map[string]map[string]uint64{"Drops": stats.Drops, "FailedBy": stats.Handshakes.FailedBy}
	if where, what, ok := strings.Cut(strings.ReplaceAll(cells[3], "`", ""), " "); ok && counts[where][what] != 1 {
		w.Errorf("counted are %v, and the table has %s", counts, cells[3])
	} else if !ok && len(stats.Drops)+len(stats.Handshakes.FailedBy) > 0 {
		w.Errorf("counted are %v, and the table has %s", counts, cells[3])
	}
}

// agree compares an error with a cell, in which … stands for any text.
func agree(t *testing.T, who, cell string, err error) {
	t.Helper()
	if cell == "none" {
		if err != nil {
			t.Errorf("%s has %v, and the table nothing", who, err)
		}
		return
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.Trim(cell, "`")), "…", ".+")
	if err == nil || !regexp.MustCompile("^"+pattern+"$").MatchString(err.Error()) {
		t.Errorf("%s has\n%v, and the table\n%s", who, err, cell)
	}
}

// nobodyListens plays its row on the loopback interface: ICMP says that a port is closed.
func nobodyListens(t *testing.T, cells []string) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux reports it to a socket that is not connected")
	}
	loopback(t, func(w *world) {
		at := "127.0.0.1:" + testkit.FreePort(t)
		var err error
		for within := 300 * time.Millisecond; !errors.Is(err, syscall.ECONNREFUSED) && within < patience; within *= 2 {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			_, err = Dial(ctx, at, ClientConfig{RootCAs: w.authority.Pool(), Token: w.tokens(grantFor(1))})
			cancel()
		}
		agree(t, "the player's program", cells[1], err)
		if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is no timeout", err)
		}
	})
}

// foreign is a client that offers this, returns the cookie, and says nothing more.
func foreign(suites []uint16, extensions ...[]byte) fault {
	return fault{play: func(w *world) error {
		w.serve()
		g := w.greeter(stranger(1))
		defer g.socket.Close()
		cookie := g.ask(g.fragments(0, g.hello(nil, suites, extensions...), 2000)...)
		g.send(g.fragments(1, g.hello(cookie, suites, extensions...), 2000)...)
		g.hear()
		return nil
	}}
}

// tokenOf has a client show the same token each time.
func tokenOf(raw string) func(*world, *ClientConfig) {
	return func(_ *world, c *ClientConfig) {
		c.Token = func(context.Context) ([]byte, error) { return []byte(raw), nil }
	}
}

// profile has the server judge tokens by other rules than those of their issuer.
func profile(change func(*token.Profile)) func(*world, *Config) {
	return func(w *world, c *Config) {
		p := w.issuer.Profile()
		change(&p)
		verifier, err := token.NewVerifier(p)
		if err != nil {
			w.Fatal(err)
		}
		c.Verifier = verifier
	}
}

// issued is a ClientConfig.Token of another issuer.
func (w *world) issued(config token.IssuerConfig) func(context.Context) ([]byte, error) {
	issuer, err := token.NewIssuer(config)
	if err != nil {
		w.Fatal(err)
	}
	return func(context.Context) ([]byte, error) {
		raw, err := issuer.Mint(time.Now(), grantFor(1))
		return []byte(raw), err
	}
}

// dialNobody dials an address at which there is no server, for ten seconds.
func (w *world) dialNobody(address string) error {
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	config := ClientConfig{RootCAs: w.authority.Pool(), ServerName: testkit.ServerName, Token: w.tokens(grantFor(1))}
	if w.net != nil {
		config.Conn = w.socket(playerAddr(1))
	}
	_, err := Dial(ctx, address, config)
	return err
}

// tryProgram dials a program that answers each datagram.
func (w *world) tryProgram(answer func([]byte) []byte) error {
	conn := w.socket(serverAddr)
	defer conn.Close() //nolint:errcheck // never fails
	w.serving.Go(func() {
		for b := make([]byte, 2000); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			conn.WriteTo(answer(bytes.Clone(b[:n])), from) //nolint:errcheck // a lost datagram
		}
	})
	return w.dialNobody(serverAddr.String())
}

// tryOtherServer dials a server that serves the versions 2 and 3 of the protocol.
func (w *world) tryOtherServer() error {
	server, err := plaindtls.Listen("", plaindtls.Config{Certificate: *w.authority.Server(w), Conn: w.socket(serverAddr)})
	if err != nil {
		w.Fatal(err)
	}
	refusal := append(make([]byte, wire.HeaderLen), wire.CloseBody{Reason: wire.ReasonVersion, Detail: []byte{2, 3}}.AppendTo(nil)...)
	refusal[0] = 2<<4 | byte(wire.KindClose)
	refusal[9] = 1
	w.serving.Go(func() {
		_ = server.Serve(plaindtls.Handler{Receive: func(c *plaindtls.Conn, _ []byte) { _ = c.Send(refusal) }})
	})
	defer server.Close() //nolint:errcheck // the test is over
	return w.dialNobody(serverAddr.String())
}

// tryOtherClient has a client of version 2 say HELLO.
func (w *world) tryOtherClient() error {
	w.serve()
	c, err := plaindtls.Dial(w.Context(), serverAddr.String(), plaindtls.Config{
		RootCAs: w.authority.Pool(), ServerName: testkit.ServerName, Conn: w.socket(playerAddr(1)),
	})
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // the test is over
	hello := make([]byte, wire.HeaderLen+60)
	hello[0], hello[9] = 2<<4|byte(wire.KindHello), 1
	if err := c.Send(hello); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
	return nil
}
