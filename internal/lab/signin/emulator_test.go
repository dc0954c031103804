package signin

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/cognito"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// The whole way: a player signs in at a user pool, by password; its published key verifies the access token; with it the
// player joins a match over UDP, talks, and comes again with a refreshed one. Tokens of Amazon Cognito do not name a
// match, so Authorize says who may join.
func TestCognitoPlayerJoinsMatch(t *testing.T) {
	e := cognito.Start(t)
	e.AddUser(t, "ann@game.example", "correct horse 1A!", "players")
	pool, err := token.NewCognito(token.CognitoConfig{Pool: e.Pool, Clients: []string{e.Client}, Endpoint: e.Endpoint, Groups: []string{"players"}})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close() //nolint:errcheck // always nil
	verifier, err := token.NewVerifier(pool.Profiles()...)
	if err != nil {
		t.Fatal(err)
	}
	source, err := Cognito(t.Context(), SignInConfig{Endpoint: e.Endpoint, Client: e.Client, User: "ann@game.example", Password: "correct horse 1A!"})
	if err != nil {
		t.Fatal(err)
	}
	judged := make(chan *token.Claims, 2)
	m := serve(t, verifier, judged)
	for range 2 { // the second token is a refreshed one
		m.play(t, source)
		if c := <-judged; c.Username != c.Subject || !slices.Equal(c.Groups, []string{"players"}) || c.Issuer != e.Endpoint+"/"+e.Pool {
			t.Errorf("%+v", c)
		}
	}
	if s := pool.Stats(); s.Fetches != 1 || s.Keys != 1 {
		t.Errorf("%+v", s)
	}
}

func TestEmulatorRefuses(t *testing.T) {
	e := cognito.Start(t)
	e.AddUser(t, "ann@game.example", "correct horse 1A!", "players")
	_, err := Cognito(t.Context(), SignInConfig{Endpoint: e.Endpoint, Client: e.Client, User: "ann@game.example", Password: "wrong horse 1A!"})
	if !errors.Is(err, ErrRefused) {
		t.Errorf("wrong password: %v", err)
	}
	source, err := Cognito(t.Context(), SignInConfig{Endpoint: e.Endpoint, Client: e.Client, User: "ann@game.example", Password: "correct horse 1A!"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := token.CognitoConfig{Pool: e.Pool, Clients: []string{e.Client}, Endpoint: e.Endpoint}
	for name, c := range map[string]struct {
		change func(*token.CognitoConfig)
		want   error
	}{
		"good":           {func(*token.CognitoConfig) {}, nil},
		"another client": {func(c *token.CognitoConfig) { c.Clients = []string{"other"} }, token.ErrAudience},
		"another pool":   {func(c *token.CognitoConfig) { c.Pool = "local_Other" }, token.ErrIssuer},
		"another use":    {func(c *token.CognitoConfig) { c.Use = token.CognitoID }, token.ErrClaims},
		"another group":  {func(c *token.CognitoConfig) { c.Groups = []string{"admins"} }, token.ErrGroup},
		"shorter life":   {func(c *token.CognitoConfig) { c.MaxLife = time.Minute }, token.ErrLife},
	} {
		config := good
		c.change(&config)
		if err := verifyOnce(t, config, raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func verifyOnce(t *testing.T, config token.CognitoConfig, raw []byte) error {
	t.Helper()
	pool, err := token.NewCognito(config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close() //nolint:errcheck // always nil
	v, err := token.NewVerifier(pool.Profiles()...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(t.Context(), time.Now(), raw)
	return err
}

// A match is a server that echoes.
type match struct {
	authority *testkit.Authority
	server    *transport.Server
}

// serve runs a match until the test ends. Everybody whose token is good may join "match:42".
func serve(t *testing.T, verifier *token.Verifier, judged chan<- *token.Claims) *match {
	t.Helper()
	m := &match{authority: testkit.NewAuthority(t)}
	authorize := func(a *session.Admission) error {
		if a.Why == session.Opening && a.Scope != "match:42" {
			return errors.New("no such match")
		}
		judged <- a.Claims
		return nil
	}
	var err error
	m.server, err = transport.Listen("127.0.0.1:0", transport.Config{
		Certificate: *m.authority.Server(t), Verifier: verifier, Session: session.Config{Authorize: authorize},
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- m.server.Serve(transport.Handler{Receive: func(p *transport.Player, b []byte) {
			if err := p.Send(b); err != nil {
				t.Error(err)
			}
		}})
	}()
	t.Cleanup(func() {
		m.server.Close() //nolint:errcheck // Serve says
		if err := <-served; !errors.Is(err, transport.ErrServerClosed) {
			t.Error(err)
		}
	})
	return m
}

// play joins, says something and hears it again, and leaves.
func (m *match) play(t *testing.T, source Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := transport.Dial(ctx, m.server.Addr().String(), transport.ClientConfig{
		Token: source, RootCAs: m.authority.Pool(), Session: session.ClientConfig{Scope: "match:42"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nobody is left to be told
	if err := c.Send([]byte("forward")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, c.MaxPayload())
	if n, err := c.Receive(ctx, b); err != nil || string(b[:n]) != "forward" {
		t.Errorf("%q, %v", b[:n], err)
	}
}
