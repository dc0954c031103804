//go:build linux

package flood

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/transport"
)

// variable is set in the environment of a child, to the folder of its certificate and its issuer.
const variable = "SALLYPORT_FLOOD_CHILD"

// IsChild reports whether this process is to be a Child.
func IsChild() bool { return os.Getenv(variable) != "" }

// What a child is asked.
const (
	askStats = "stats"
	askAlone = "alone" // the stats, and to keep everybody else off its processor until its input ends
)

// answer is a line of a child: the first says where it listens, each other one answers a line of its input.
type answer struct {
	Addr    string          `json:"addr,omitempty"`
	Stats   transport.Stats `json:"stats"`
	Handled uint64          `json:"handled"` // inputs
	Moved   int             `json:"moved"`   // threads of others
	Error   string          `json:"error,omitempty"`
}

// Child answers inputs until in ends, and returns the exit status of the process. Its limits are a
// server's own, as nobody has configured them.
func Child(in io.Reader, out io.Writer) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE) // its input ends when the parent does
	answers := json.NewEncoder(out)
	server, err := listen(os.Getenv(variable))
	if err != nil {
		_ = answers.Encode(answer{Error: err.Error()}) // the exit status says it too
		return 1
	}
	var handled atomic.Uint64
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(transport.Handler{Receive: func(p *transport.Player, payload []byte) {
			handled.Add(1)
			_ = p.Send(payload) // a player who leaves need not have it
		}})
	}()
	if answers.Encode(answer{Addr: server.Addr().String()}) == nil {
		for lines := bufio.NewScanner(in); lines.Scan(); {
			a := answer{Stats: server.Stats(), Handled: handled.Load()}
			if lines.Text() == askAlone {
				moved, restore := alone(serverProcessor)
				defer restore() // however the parent has ended
				a.Moved = moved
			}
			if answers.Encode(a) != nil {
				break
			}
		}
	}
	err = server.Close()
	<-served
	if err != nil {
		return 1
	}
	return 0
}

func listen(folder string) (*transport.Server, error) {
	dev, err := gameserver.LoadDev(folder)
	if err != nil {
		return nil, err
	}
	verifier, err := dev.Verifier()
	if err != nil {
		return nil, err
	}
	return transport.Listen("127.0.0.1:0", transport.Config{Certificate: dev.Certificate, Verifier: verifier})
}
