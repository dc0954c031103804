package attack

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/signin"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/lab/succession"
	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/token"
)

// Target is a match server to attack.
type Target struct {
	soak.Match

	// Mint returns a fresh identity token; nil means that this server cannot be attacked.
	Mint func(ctx context.Context, g token.Grant) ([]byte, error)
	// Trail counts the server's decisions; nil for a server elsewhere, whose tokens cannot be bound to a certificate.
	Trail *tally.Trail
	// Hang makes the server's next tick last so much longer; nil for a server elsewhere, which nobody can make hang.
	Hang func(time.Duration)
}

// Embedded is a development server in this process, which records its decisions in trail.
func Embedded(s *gameserver.Server, dev *gameserver.Dev, trail *tally.Trail) Target {
	return Target{
		Match: soak.Embedded(s, dev, trail), Trail: trail, Hang: s.Hang,
		Mint: func(_ context.Context, g token.Grant) ([]byte, error) {
			t, err := dev.Issuer.Mint(time.Now(), g)
			return []byte(t), err
		},
	}
}

// StartEmbedded starts a development server in this process, which end stops.
func StartEmbedded(tick int) (t Target, end func(), err error) {
	dev, err := gameserver.NewDev()
	if err != nil {
		return t, nil, err
	}
	verifier, err := dev.Verifier()
	if err != nil {
		return t, nil, err
	}
	trail := &tally.Trail{}
	server, err := gameserver.Start(gameserver.Config{
		Listen: "127.0.0.1:0", Tick: tick, Certificate: dev.Certificate, Verifier: verifier, Audit: trail, Dev: dev,
	})
	if err != nil {
		return t, nil, err
	}
	return Embedded(server, dev, trail), func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		server.Shutdown(ctx) //nolint:errcheck // nobody is left to be told
	}, nil
}

// StartReplaceable starts a development server in a child process, which end stops.
func StartReplaceable(tick int) (t Target, end func(), err error) {
	server, err := succession.Start(tick)
	if err != nil {
		return t, nil, fmt.Errorf("cannot start the server's process: %w", err)
	}
	return Target{Match: soak.Replaceable(server)}, func() {
		server.Close() //nolint:errcheck // nobody is left to be told
	}, nil
}

// Remote is a development server at addr that wrote f.
func Remote(addr string, f gameserver.File) (Target, error) {
	match, err := soak.Remote(addr, f)
	return Target{Match: match, Mint: func(ctx context.Context, g token.Grant) ([]byte, error) {
		q := url.Values{"subject": {g.Subject}, "scope": {g.Scope}, "platform": {g.Platform}, "build": {g.Build}}
		source, err := signin.URL(ctx, f.TokenURL+"?"+q.Encode())
		if err != nil {
			return nil, err
		}
		return source(ctx)
	}}, err
}
