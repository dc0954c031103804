package natstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Cluster is three servers in processes of their own.
type Cluster struct {
	configs   []Config
	processes []*Process // of the server with the same index; the newest
}

// StartCluster starts three servers in folders below dir. They listen at once; Await waits until
// JetStream has a leader. ports are six on 127.0.0.1 that are free. extra is as in Config. Close it
// when done.
func StartCluster(dir string, ports [6]int, extra string) (*Cluster, error) {
	c := &Cluster{}
	for i := range 3 {
		sub := filepath.Join(dir, fmt.Sprintf("nats-%d", i+1))
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, err
		}
		config := Config{
			Dir: sub, Name: fmt.Sprintf("nats-%d", i+1), Port: ports[i], RoutePort: ports[3+i],
			Routes: ports[3:], Extra: extra,
		}
		c.configs = append(c.configs, config)
	}
	c.processes = make([]*Process, len(c.configs))
	if err := c.StartAll(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// URLs are where clients connect.
func (c *Cluster) URLs() (urls []string) {
	for _, config := range c.configs {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", config.Port))
	}
	return urls
}

// Start starts a server again, from 0, that has been killed or closed.
func (c *Cluster) Start(i int) error {
	p, err := StartProcess(c.configs[i])
	if err == nil {
		c.processes[i] = p
	}
	return err
}

// StartAll starts every server.
func (c *Cluster) StartAll() error {
	for i := range c.configs {
		if err := c.Start(i); err != nil {
			return err
		}
	}
	return nil
}

// Kill ends a server at once.
func (c *Cluster) Kill(i int) error { return c.processes[i].Kill() }

// Close ends every server. The stores stay.
func (c *Cluster) Close() (err error) {
	for _, p := range c.processes {
		if p != nil {
			err = errors.Join(err, p.Close())
		}
	}
	return err
}

// Save copies every server's store, whose servers must be closed.
func (c *Cluster) Save(to string) error {
	for i, config := range c.configs {
		if err := os.CopyFS(filepath.Join(to, fmt.Sprint(i)), os.DirFS(config.store())); err != nil {
			return err
		}
	}
	return nil
}

// Rollback puts what Save has copied in place of every server's store; no folder means an empty
// store. The servers must be closed.
func (c *Cluster) Rollback(from string) error {
	for i, config := range c.configs {
		if err := os.RemoveAll(config.store()); err != nil {
			return err
		}
		if from == "" {
			continue
		}
		if err := os.CopyFS(config.store(), os.DirFS(filepath.Join(from, fmt.Sprint(i)))); err != nil {
			return err
		}
	}
	return nil
}

// Await waits until JetStream answers a client with these options: until there is a leader.
func Await(urls []string, options ...nats.Option) error {
	options = append(options, nats.Timeout(startTime), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	conn, err := nats.Connect(strings.Join(urls, ","), options...)
	if err != nil {
		return err
	}
	defer conn.Close()
	for end := time.Now().Add(startTime); ; time.Sleep(50 * time.Millisecond) {
		js, err := conn.JetStream(nats.MaxWait(time.Second))
		if err == nil {
			_, err = js.AccountInfo()
		}
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// address returns host and port of a server.
func address(url string) string { return strings.TrimPrefix(url, "nats://") }
