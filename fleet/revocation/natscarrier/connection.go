package natscarrier

import (
	"errors"

	"github.com/nats-io/nats.go"
)

// options has the connection come back whatever happens: servers that are down, that are not there
// yet, or that refuse a certificate which is being replaced.
func (c *Carrier) options() []nats.Option {
	options := []nats.Option{
		nats.Name(c.config.Name),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.Timeout(dialTime), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(pingsOutstanding),
		nats.ReconnectBufSize(-1), // what cannot be sent at once would be stale later
		nats.CustomInboxPrefix(c.names.inbox(c.config.Name)),
		nats.ConnectHandler(c.connected),
		nats.ReconnectHandler(func(conn *nats.Conn) { c.reconnects.Add(1); c.connected(conn) }),
		nats.DisconnectErrHandler(c.disconnected),
		nats.ErrorHandler(c.failed),
	}
	if c.config.TLS != nil {
		options = append(options, nats.Secure(c.config.TLS))
	}
	return append(options, c.config.Options...)
}

func (c *Carrier) connected(conn *nats.Conn) {
	server := conn.ConnectedServerName()
	c.link.up(server)
	c.config.Log.Info("natscarrier: connected", "server", server)
}

func (c *Carrier) disconnected(_ *nats.Conn, err error) {
	c.link.down()
	if err != nil {
		c.config.Log.Warn("natscarrier: the connection is lost; revocations arrive late until a NATS server answers again", "error", err)
	}
}

// failed is told of what no call returns.
func (c *Carrier) failed(_ *nats.Conn, sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrSlowConsumer):
		// nats.go calls this once for each time the queue becomes full, not for each message.
		dropped := 0
		if sub != nil {
			dropped, _ = sub.Dropped()
		}
		c.config.Log.Warn("natscarrier: messages were lost because the queue is full; what they said is read from the stored state", "lost", dropped)
	case errors.Is(err, nats.ErrPermissionViolation):
		c.config.Log.Error("natscarrier: NATS refuses a subject; give this process the permissions that Permissions prints", "error", err)
	default:
		c.config.Log.Warn("natscarrier: NATS reports an error", "error", err)
	}
}
