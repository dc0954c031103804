package attack

import (
	"context"
	"net/url"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/signin"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/token"
)

// Target is a match server to attack.
type Target struct {
	soak.Match

	// Mint returns a fresh identity token; nil means that this server cannot be attacked.
	Mint func(ctx context.Context, g token.Grant) ([]byte, error)
	// Trail is what the server audits; nil for a server elsewhere, whose tokens cannot be bound to a certificate.
	Trail *gameserver.Trail
	// Hang makes the server's next tick last so much longer; nil for a server elsewhere, which nobody can make hang.
	Hang func(time.Duration)
}

// Embedded is a development server in this process, which records its decisions in trail.
func Embedded(s *gameserver.Server, dev *gameserver.Dev, trail *gameserver.Trail) Target {
	return Target{
		Match: soak.Embedded(s, dev, trail), Trail: trail, Hang: s.Hang,
		Mint: func(_ context.Context, g token.Grant) ([]byte, error) {
			t, err := dev.Issuer.Mint(time.Now(), g)
			return []byte(t), err
		},
	}
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

// more is what to counts and from does not.
func more(from, to map[string]uint64) map[string]uint64 {
	d := map[string]uint64{}
	for what, n := range to {
		if n > from[what] {
			d[what] = n - from[what]
		}
	}
	return d
}
