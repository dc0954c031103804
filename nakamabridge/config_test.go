package nakamabridge

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// What cannot work is refused when the program starts.
func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		ok     bool
	}{
		"nothing else":      {func(*Config) {}, true},
		"no verifier":       {func(c *Config) { c.Verifier = nil }, false},
		"no accounts":       {func(c *Config) { c.Accounts = nil }, false},
		"nobody told where": {func(c *Config) { c.Address = "" }, false},
		"every interface":   {func(c *Config) { c.Address = "[::]:0" }, false},
		"told":              {func(c *Config) { c.Address, c.Public = ":0", "play.example.com:7777" }, true},
		"told no port":      {func(c *Config) { c.Public = "play.example.com" }, false},
		"told no host":      {func(c *Config) { c.Public = ":7777" }, false},
		"negative":          {func(c *Config) { c.Queue = -1 }, false},
		"shortest life":     {func(c *Config) { c.TokenLife = minTokenLife }, true},
		"too short":         {func(c *Config) { c.TokenLife = minTokenLife - time.Second }, false},
		"longest life":      {func(c *Config) { c.TokenLife = token.DefaultLife }, true},
		"too long":          {func(c *Config) { c.TokenLife = token.DefaultLife + time.Second }, false},
		"half a second":     {func(c *Config) { c.TokenLife = minTokenLife + time.Second/2 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{Verifier: testkit.NewIssuer(t).Verifier(t), Accounts: newNakama(), Address: "127.0.0.1:0"}
			c.change(&config)
			b, err := New(t.Context(), config)
			if err == nil {
				b.Close()
			}
			if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrConfig) {
				t.Errorf("New returned %v", err)
			}
		})
	}
}

// A certificate of the operator's own is shown, and its pin is told.
func TestOwnCertificate(t *testing.T) {
	t.Parallel()
	authority := testkit.NewAuthority(t)
	w := newWorld(t, nil, func(c *Config) { c.Certificate = *authority.Server(t) })
	w.dial(w.signIn("ben"), "")
	w.until(func() bool { return len(w.stage.arena.players) == 1 })
}
