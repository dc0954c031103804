// Package natskeys carries the messages of package keys over core NATS. Nothing is stored: what is
// lost is said again within seconds.
//
//	subject                          published by      subscribed to by
//	sallyport.keys.announce          match servers     the keeper
//	sallyport.keys.grant.<instance>  the keeper        the match server of that number
//
// NATS is not trusted. Its permissions only keep strangers from filling the queues:
// PermitHolder and PermitKeeper print them.
//
// The connection should come back by itself whatever happens, and connect by mutual TLS:
//
//	nats.Connect(servers, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
//		nats.ReconnectWait(250*time.Millisecond), nats.ReconnectBufSize(-1), nats.Secure(source.ClientTLS(identity.Broker)))
package natskeys

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// ErrConfig is matched by errors of New.
var ErrConfig = errors.New("natskeys: bad configuration")

const (
	// DefaultPrefix begins every subject where New is given no prefix.
	DefaultPrefix = "sallyport"

	// maxPrefix is the longest prefix in bytes.
	maxPrefix = 64

	// queue and queueBytes are how much may wait to be handled: an announcement of each of 4,096
	// servers at once. What exceeds it is said again.
	queue, queueBytes = 8192, 64 << 20
)

// Carrier is a keys.Carrier over a connection to NATS. It is safe for concurrent use.
type Carrier struct {
	conn   *nats.Conn
	prefix string
}

// New returns a Carrier over conn, which the caller closes. The prefix begins every subject, 1 to 64
// letters, digits, '-' and '_'; empty means DefaultPrefix. Errors match ErrConfig.
func New(conn *nats.Conn, prefix string) (*Carrier, error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	if conn == nil {
		return nil, fmt.Errorf("%w: the connection is missing", ErrConfig)
	}
	if len(prefix) > maxPrefix || strings.ContainsFunc(prefix, notToken) {
		return nil, fmt.Errorf("%w: prefix: only 1 to 64 letters, digits, '-' and '_'", ErrConfig)
	}
	return &Carrier{conn, prefix}, nil
}

// notToken reports whether r has no place in a subject's part.
func notToken(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

func (c *Carrier) subject(topic string) string { return c.prefix + ".keys." + topic }

// Publish implements keys.Carrier. While there is no connection it is an error.
func (c *Carrier) Publish(ctx context.Context, topic string, message []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.conn.Publish(c.subject(topic), message); err != nil {
		return fmt.Errorf("natskeys: not published: %w", err)
	}
	return nil
}

// Subscribe implements keys.Carrier.
func (c *Carrier) Subscribe(topic string, receive func(message []byte)) (stop func(), err error) {
	sub, err := c.conn.Subscribe(c.subject(topic), func(m *nats.Msg) { receive(m.Data) })
	if err != nil {
		return nil, fmt.Errorf("natskeys: not subscribed: %w", err)
	}
	if err := sub.SetPendingLimits(queue, queueBytes); err != nil {
		return nil, fmt.Errorf("natskeys: not subscribed: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // a connection that is closed has no subscription
}

// PermitHolder returns what NATS has to allow a match server, as the block permissions of a NATS
// configuration file.
func (c *Carrier) PermitHolder() string {
	return permissions(c.subject("announce"), c.subject("grant.*"))
}

// PermitKeeper returns what NATS has to allow the keeper.
func (c *Carrier) PermitKeeper() string {
	return permissions(c.subject("grant.*"), c.subject("announce"))
}

func permissions(publish, subscribe string) string {
	return fmt.Sprintf("{\n  publish: {allow: [%q]}\n  subscribe: {allow: [%q]}\n}\n", publish, subscribe)
}
