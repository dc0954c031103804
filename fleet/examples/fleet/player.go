package main

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

const (
	inputRate   = time.Second / 60
	suspectRate = time.Second / 200 // so that the last datagram is seen within 5 ms
	dialTime    = 15 * time.Second
)

// login mints identity tokens.
type login struct{ issuer *token.Issuer }

func (l *login) token(subject string) ([]byte, error) {
	t, err := l.issuer.Mint(time.Now(), token.Grant{Subject: subject})
	return []byte(t), err
}

// dial joins a server's match. Without a token the login gives one.
func (l *login) dial(ctx context.Context, p *process, subject string, identity []byte) (*transport.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	w := p.word()
	return transport.Dial(ctx, w.Addr, transport.ClientConfig{
		Pin: &w.Pin,
		Token: func(context.Context) ([]byte, error) {
			if identity != nil {
				return identity, nil
			}
			return l.token(subject)
		},
	})
}

// input sends an input at a rate until ctx is done, which is no error, or the session ends.
func input(ctx context.Context, c *transport.Client, rate time.Duration) error {
	defer c.Close() //nolint:errcheck // it says how the session ended
	ticker := time.NewTicker(rate)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := c.Send([]byte("input")); err != nil {
				return err
			}
		}
	}
}

// refusal returns the reason with which a server has closed or refused a session, 0 if it has not.
func refusal(err error) session.Reason {
	if e, ok := errors.AsType[*transport.CloseError](err); ok {
		return e.Reason
	}
	return 0
}
