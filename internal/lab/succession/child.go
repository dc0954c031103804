package succession

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
)

// variable is set in the environment of a child.
const variable = "SALLYPORT_SUCCESSION_CHILD"

// IsChild reports whether this process is to be a Child.
func IsChild() bool { return os.Getenv(variable) != "" }

// order is the first line that a child reads.
type order struct {
	Folder folder `json:"folder"`
	Number int    `json:"number"` // from 1
	Listen string `json:"listen"` // UDP
	Tick   int    `json:"tick"`   // a second
}

// answer is the reply to a line.
type answer struct {
	Addr  string            `json:"addr,omitempty"`
	Stats *gameserver.Stats `json:"stats,omitempty"`
	Error string            `json:"error,omitempty"`
}

// child is a match server that obeys.
type child struct {
	server *gameserver.Server
	audit  *audit.JSON
	file   *os.File // of the audit
}

// Child serves a match as in tells it to, and returns the exit status of the process: 0 if it has ended as told.
func Child(in io.Reader, out io.Writer) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	var o order
	err := errors.New("no order")
	if lines.Scan() {
		err = json.Unmarshal(lines.Bytes(), &o)
	}
	var c *child
	if err == nil {
		c, err = begin(o)
	}
	if err != nil {
		answers.Encode(answer{Error: err.Error()}) //nolint:errcheck // the exit status says it too
		return 1
	}
	told := answers.Encode(answer{Addr: c.server.Addr().String()}) == nil && c.obey(lines, answers)
	last := answer{}
	if err := c.end(); err != nil {
		last.Error = err.Error()
	}
	if !told {
		o.Folder.remove()
		return 1
	}
	stats := c.server.Stats()
	last.Stats = &stats
	if answers.Encode(last) != nil || last.Error != "" {
		return 1
	}
	return 0
}

// begin starts the server, which goes on with the players of the one before.
func begin(o order) (*child, error) {
	dev, err := gameserver.LoadDev(string(o.Folder))
	if err != nil {
		return nil, err
	}
	verifier, err := dev.Verifier()
	if err != nil {
		return nil, err
	}
	ring, err := o.Folder.ring()
	if err != nil {
		return nil, err
	}
	c := &child{}
	if c.file, err = os.OpenFile(o.Folder.audit(o.Number), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	if c.audit, err = audit.NewJSON(c.file, audit.JSONConfig{Queue: auditQueue, PerSecond: -1}); err != nil {
		return nil, err
	}
	c.server, err = gameserver.Start(gameserver.Config{
		Listen: o.Listen, Tick: o.Tick, Certificate: dev.Certificate, Verifier: verifier, Dev: dev,
		Audit: c.audit, FleetKeys: ring, Snapshot: o.Folder.snapshot(),
	})
	return c, err
}

// obey answers lines until it is told to stop; false if it never is.
func (c *child) obey(lines *bufio.Scanner, answers *json.Encoder) (told bool) {
	for lines.Scan() {
		if lines.Text() == "stop" {
			return true
		}
		stats := c.server.Stats()
		if answers.Encode(answer{Stats: &stats}) != nil {
			return false
		}
	}
	return false
}

// end hands the players on.
func (c *child) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return errors.Join(c.server.Shutdown(ctx), c.audit.Close(), c.file.Close())
}
