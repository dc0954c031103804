package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
)

// target is the server to play on, as the flags say; end is to be called afterwards.
func (f *flags) target(ctx context.Context) (m soak.Match, end func(), err error) {
	end = func() {}
	switch {
	case f.config.Replace:
		return soak.StartReplaceable(tick)
	case f.connect == "":
		return soak.StartEmbedded(tick)
	case f.tokenFile != "":
		m, err = f.withTokens()
	case f.signIn.given():
		m, err = f.withSignIn(ctx)
	default:
		m, err = f.withDevFile(ctx)
	}
	return m, end, err
}

func (f *flags) withDevFile(ctx context.Context) (m soak.Match, err error) {
	read := gameserver.ReadFile
	if strings.HasPrefix(f.devFile, "http://") {
		read = func(url string) (gameserver.File, error) { return gameserver.FetchFile(ctx, url) }
	}
	file, err := read(f.devFile)
	if err != nil {
		return m, fmt.Errorf("cannot use -dev-file, which \"server -dev\" writes: %w", err)
	}
	m, err = soak.Remote(f.connect, file)
	if err != nil {
		return m, fmt.Errorf("cannot use -dev-file %s: %w", f.devFile, err)
	}
	return m, nil
}

func (f *flags) withTokens() (soak.Match, error) {
	tokens, err := f.readTokens()
	if err != nil {
		return soak.Match{}, err
	}
	if !f.playersGiven {
		f.config.Players = len(tokens)
	}
	if f.config.Players > len(tokens) {
		return soak.Match{}, fmt.Errorf("-players %d: -token %s has tokens for %d, and each opens one session",
			f.config.Players, f.tokenFile, len(tokens))
	}
	roots, err := f.readCA()
	return soak.Tokens(f.connect, roots, tokens), err
}

// readTokens reads a token a line. It passes over empty lines, and over the white space and the byte
// order mark that editors leave around a token.
func (f *flags) readTokens() ([]string, error) {
	b, err := os.ReadFile(f.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read -token: %w", err)
	}
	tokens := strings.Fields(strings.TrimPrefix(string(b), "\ufeff"))
	if len(tokens) == 0 {
		return nil, fmt.Errorf("-token %s is empty: put an identity token on each line", f.tokenFile)
	}
	for i, t := range tokens {
		if strings.Count(t, ".") != 2 {
			return nil, fmt.Errorf("-token %s, token %d: not a JWT in compact form", f.tokenFile, i+1)
		}
		if room := soak.MaxPayload - 2 - len(t); f.config.Bearer && f.config.Payload > room {
			return nil, fmt.Errorf("-payload %d: with -bearer at most %d fit beside token %d", f.config.Payload, max(room, 0), i+1)
		}
	}
	return tokens, nil
}

func (f *flags) readCA() (*x509.CertPool, error) {
	if f.caFile == "" {
		return nil, nil
	}
	b, err := os.ReadFile(f.caFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read -ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("-ca %s holds no certificate in PEM form", f.caFile)
	}
	return roots, nil
}
