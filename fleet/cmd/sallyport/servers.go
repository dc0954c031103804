package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	cmdline "github.com/sallyport/sallyport/internal/lab/command"
)

// serversHelp documents the flags of servers at the end of a subcommand's help.
const serversHelp = `
Servers: -server takes the addresses of admin APIs (package fleet/admin), host:port, several with commas
between them or by several -server; without it they are those of the environment variable
SALLYPORT_SERVERS. All are asked at once.

Identity: the operator's SPIFFE certificate comes from the Workload API at -socket or
SPIFFE_ENDPOINT_SOCKET, or from the files -cert, -key and -bundle (SALLYPORT_CERT, SALLYPORT_KEY,
SALLYPORT_BUNDLE); where both are given the Workload API counts. A server has to prove that it is one of
the fleet, of the role -server-role; its name does not matter.

With -json each server is one line of JSON: "server" and either "result", as the API answers it, or
"error", with "problem" where the server has answered one.

Exit status: 0 every server has answered as asked, 1 none has, 3 some have; 2 a flag, an argument or a
file could not be used, and nobody was asked; 130 interrupted.

Flags:
`

// servers are what a subcommand asks, and how.
type servers struct {
	addresses []string
	config    identity.Config
	role      identity.Role
	timeout   time.Duration
	json      bool

	console console
	name    string // of the subcommand
	clients []*admin.Client
	source  *identity.Source
}

// parse adds the flags of servers to those of a subcommand, reads args into them, and calls check.
func (s *servers) parse(c console, set *flag.FlagSet, help string, args []string, check func() error) (status int, ok bool) {
	s.console, s.name, s.role = c, set.Name(), identity.GameState
	s.config.Files = identity.Files{
		Certificate: os.Getenv("SALLYPORT_CERT"), Key: os.Getenv("SALLYPORT_KEY"), Bundle: os.Getenv("SALLYPORT_BUNDLE"),
	}
	set.Func("server", "`addresses` of admin APIs, host:port, with commas between them", s.add)
	set.StringVar(&s.config.Socket, "socket", "", "`address` of the SPIFFE Workload API, such as unix:///run/spire/agent.sock")
	set.StringVar(&s.config.Files.Certificate, "cert", s.config.Files.Certificate, "PEM `file` of the operator's certificate")
	set.StringVar(&s.config.Files.Key, "key", s.config.Files.Key, "PEM `file` of its private key")
	set.StringVar(&s.config.Files.Bundle, "bundle", s.config.Files.Bundle, "PEM `file` of the fleet's authorities")
	set.Func("server-role", "`role` that the servers have (default game-state)", s.setRole)
	set.DurationVar(&s.timeout, "timeout", 10*time.Second, "how long a server may take to answer")
	set.BoolVar(&s.json, "json", false, "print JSON, one line for each server")
	return cmdline.Parse(set, help+serversHelp, args, func(rest []string) error {
		if len(rest) > 0 {
			return fmt.Errorf("it takes no arguments: what is %q?", rest[0])
		}
		if len(s.addresses) == 0 {
			list := os.Getenv("SALLYPORT_SERVERS")
			if list == "" {
				return errors.New("-server is missing: give the address of an admin API, or several")
			}
			if err := s.add(list); err != nil {
				return fmt.Errorf("SALLYPORT_SERVERS: %w", err)
			}
		}
		if s.timeout <= 0 {
			return errors.New("-timeout must be longer than 0")
		}
		return check()
	}, c.stdout, c.stderr)
}

// add is -server.
func (s *servers) add(list string) error {
	for address := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || port == "" {
			return fmt.Errorf("%q is not host:port", address)
		}
		if !slices.Contains(s.addresses, address) {
			s.addresses = append(s.addresses, address)
		}
	}
	return nil
}

// setRole is -server-role.
func (s *servers) setRole(name string) error {
	for r := identity.NoRole + 1; r.String() != identity.NoRole.String(); r++ {
		if r.String() == name {
			s.role = r
			return nil
		}
	}
	return errors.New("there is no such role: game-state and operator are usual")
}

// connect reads the operator's identity. It tells of what it cannot use, and reports whether there
// is one.
func (s *servers) connect(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	source, err := identity.New(ctx, s.config)
	if err != nil {
		why := strings.TrimPrefix(err.Error(), identity.ErrConfig.Error()+": ")
		if s.config.Files == (identity.Files{}) && s.config.Socket == "" && os.Getenv("SPIFFE_ENDPOINT_SOCKET") == "" {
			why = "give -cert, -key and -bundle, or -socket"
		}
		fmt.Fprintf(s.console.stderr, "%s: no identity to call with: %s\n", s.name, why)
		return false
	}
	s.source = source
	client := &http.Client{Transport: source.Transport(s.role)}
	for _, address := range s.addresses {
		s.clients = append(s.clients, &admin.Client{HTTP: client, Address: address})
	}
	return true
}

// close ends what connect has begun.
func (s *servers) close() {
	if len(s.clients) > 0 {
		s.clients[0].HTTP.CloseIdleConnections()
	}
	s.source.Close() //nolint:errcheck // the program ends
}

// answer is what a server has answered.
type answer[T any] struct {
	server string
	value  T
	err    error
}

// each makes a call of every server, of all at once, and returns the answers in the order of the
// servers.
func each[T any](ctx context.Context, s *servers, call func(context.Context, *admin.Client) (T, error)) []answer[T] {
	answers := make([]answer[T], len(s.clients))
	var wg sync.WaitGroup
	for i, client := range s.clients {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, s.timeout)
			defer cancel()
			value, err := call(ctx, client)
			answers[i] = answer[T]{client.Address, value, err}
		})
	}
	wg.Wait()
	return answers
}

// ask makes a call of every server, prints the answers and returns the exit status.
func ask[T any](ctx context.Context, s *servers, header string, rows func(T) []string, call func(context.Context, *admin.Client) (T, error)) int {
	if !s.connect(ctx) {
		return exitUsage
	}
	defer s.close()
	return showAnswers(ctx, s, header, rows, each(ctx, s, call))
}
