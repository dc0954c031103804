package natstest

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startTime is how long a server may take until it listens: a busy machine's worst.
const startTime = 20 * time.Second

// Embedded is a server in this process.
type Embedded struct{ server *server.Server }

// StartEmbedded starts a server in this process. Close it when done.
func StartEmbedded(c Config) (*Embedded, error) {
	s, err := start(c)
	if err != nil {
		return nil, err
	}
	return &Embedded{s}, nil
}

// start runs a server from its file.
func start(c Config) (*server.Server, error) {
	if err := c.write(); err != nil {
		return nil, err
	}
	return startFile(c.file())
}

func startFile(name string) (*server.Server, error) {
	options, err := server.ProcessConfigFile(name)
	if err != nil {
		return nil, err
	}
	options.NoSigs = true
	s, err := server.NewServer(options)
	if err != nil {
		return nil, err
	}
	s.ConfigureLogger()
	s.Start()
	if !s.ReadyForConnections(startTime) {
		s.Shutdown()
		return nil, fmt.Errorf("natstest: no server on %s:%d within %v", options.Host, options.Port, startTime)
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, errors.New("natstest: JetStream has not started; see the server's log")
	}
	return s, nil
}

// URL is where clients connect.
func (e *Embedded) URL() string { return e.server.ClientURL() }

// Close ends the server, whose store stays.
func (e *Embedded) Close() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}
