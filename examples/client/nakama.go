package main

import (
	"context"
	"errors"
	"flag"
	"net/url"

	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/internal/lab/nakama"
	"github.com/sallyport/sallyport/netsim"
)

// defaultKey is the server key that Nakama has unless its configuration names another.
const defaultKey = "defaultkey"

// nakamaFlags say which Nakama server to play on, in place of -connect.
type nakamaFlags struct{ url, key string }

func (f *nakamaFlags) define(set *flag.FlagSet) {
	set.StringVar(&f.url, "nakama", "", "`URL` of a Nakama server with the plugin of examples/nakama, to play its arena")
	set.StringVar(&f.key, "nakama-key", defaultKey, "the Nakama server's socket.server_key")
}

// checkNakama checks the flags that go with -nakama.
func (f *flags) checkNakama() error {
	u, err := url.Parse(f.nakama.url)
	c, im := &f.config, &f.config.Impairment
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("-nakama: must be a URL such as http://127.0.0.1:7350")
	case f.connect != "" || f.devFileGiven || f.caFile != "" || f.attack != "":
		return errors.New("-nakama finds the way by itself: leave out -connect, -dev-file, -ca and -attack")
	case c.Bearer || c.Renew || c.Migrate || c.Blackout != 0 || c.Replace || c.Churn > 0 || *im != (netsim.Impairment{}):
		return errors.New("-nakama plays plainly: of the flags about play, -rate and -duration go with it")
	case f.playersGiven && c.Players != 1:
		return errors.New("-nakama is one player: run the program once for each")
	case f.tokenFile != "":
		return nil
	case !f.signIn.given():
		return errors.New("-nakama needs an identity token: sign in by -cognito-… or -token-url, or give -token")
	}
	return f.checkSignIn()
}

// playNakama plays on a Nakama server.
func (f *flags) playNakama(ctx context.Context) (command.Report, error) {
	identity := func(context.Context) ([]byte, error) {
		tokens, err := f.readTokens()
		if err != nil {
			return nil, err
		}
		return []byte(tokens[0]), nil
	}
	if f.tokenFile == "" {
		source, err := f.signIn.source(ctx)
		if err != nil {
			return nil, err
		}
		identity = source
	}
	return nakama.Play(ctx, nakama.Config{
		URL: f.nakama.url, ServerKey: f.nakama.key, Identity: identity, Rate: f.config.Rate, Duration: f.config.Duration,
	})
}
