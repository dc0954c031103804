package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/lab/attack"
	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/netsim"
)

// flags is the command line.
type flags struct {
	config            soak.Config
	connect, devFile  string
	tokenFile, caFile string
	keylog            string
	attack            string
	signIn            signInFlags
	nakama            nakamaFlags
	json              bool
	playersGiven      bool
	durationGiven     bool
	devFileGiven      bool
}

func (f *flags) define(set *flag.FlagSet) {
	c, im := &f.config, &f.config.Impairment
	set.StringVar(&f.connect, "connect", "", "UDP `address` of the server; empty means one in this process")
	set.StringVar(&f.devFile, "dev-file", "sallyport-dev.json", "`file` that \"server -dev\" wrote, or its http URL, which ends in /dev")
	set.StringVar(&f.tokenFile, "token", "", "`file` with an identity token a line, one for each player, in place of -dev-file")
	set.StringVar(&f.caFile, "ca", "", "PEM `file` that vouches for the server, with -token; empty means the system's authorities")
	set.IntVar(&c.Players, "players", 50, "how many play; with -token as many as there are tokens")
	set.IntVar(&c.Rate, "rate", 60, "inputs a second and player")
	set.IntVar(&c.Payload, "payload", 64, "`bytes` of an input")
	set.DurationVar(&c.Duration, "duration", 10*time.Second, "how long they play")
	set.Float64Var(&im.Loss, "loss", 0, "`share` of datagrams that is lost, each way, 0 to 1")
	set.DurationVar(&im.Latency, "latency", 0, "delay of datagrams, each way")
	set.Var((*bandwidth)(&im.Bandwidth), "bandwidth", "`bits` a second of each player's line, each way, with K, M or G; 0 means no limit")
	set.DurationVar(&im.Queue, "queue", 0, "longest `time` that a datagram waits for its turn on that line, each way; 0 means "+netsim.DefaultQueue.String())
	set.Float64Var(&im.Reorder, "reorder", 0, "`share` of datagrams that the next one overtakes")
	set.Float64Var(&im.Duplicate, "duplicate", 0, "`share` of datagrams that arrive twice")
	set.Uint64Var(&c.Seed, "seed", 1, "`number` that all chance comes from")
	set.Float64Var(&c.Churn, "churn", 0, "`share` of players that leave and rejoin per second")
	set.BoolVar(&c.Bearer, "bearer", false, "send the identity token in every datagram")
	set.BoolVar(&c.Renew, "renew", false, "use tokens of a few seconds, so that sessions must be renewed")
	set.StringVar(&f.attack, "attack", "", "`what` to do to the server: "+strings.Join(attack.Names(), ", "))
	set.StringVar(&f.keylog, "keylog", "", "`file` to which the secrets of the players' connections are appended, for Wireshark: for debugging only")
	f.defineTurns(set)
	f.signIn.define(set)
	f.nakama.define(set)
	set.BoolVar(&f.json, "json", false, "write one JSON object in place of the table")
}

// parse reads the command line. Without flags to go on with it returns the exit status.
func parse(args []string, stdout, stderr io.Writer) (*flags, int) {
	f := &flags{}
	set := flag.NewFlagSet("client", flag.ContinueOnError)
	f.define(set)
	check := func(rest []string) error {
		set.Visit(func(given *flag.Flag) {
			f.playersGiven = f.playersGiven || given.Name == "players"
			f.durationGiven = f.durationGiven || given.Name == "duration"
			f.devFileGiven = f.devFileGiven || given.Name == "dev-file"
		})
		return f.check(rest)
	}
	if status, ok := command.Parse(set, help, args, check, stdout, stderr); !ok {
		return nil, status
	}
	return f, exitOK
}

// check returns an error for flags that cannot be used. It does not read files.
func (f *flags) check(rest []string) error {
	if err := command.NoRest(rest); err != nil {
		return err
	}
	for _, check := range []func() error{f.checkTurns, f.checkNumbers, f.checkAttack} {
		if err := check(); err != nil {
			return err
		}
	}
	if f.nakama != (nakamaFlags{key: defaultKey}) {
		return f.checkNakama()
	}
	if f.connect == "" {
		if f.devFileGiven || f.tokenFile != "" || f.caFile != "" || f.signIn.given() {
			return errors.New("-dev-file, -token, -ca and signing in are for a server elsewhere: give its address with -connect")
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(f.connect); err != nil {
		return fmt.Errorf("-connect %q: must be host:port, such as 127.0.0.1:7777", f.connect)
	}
	return f.checkIdentity()
}

// checkIdentity checks the flags that say where the tokens come from.
func (f *flags) checkIdentity() error {
	if f.signIn.given() {
		return f.checkSignIn()
	}
	switch {
	case f.tokenFile == "" && f.caFile != "":
		return errors.New("-ca goes with -token or with signing in: a development file brings its own")
	case f.tokenFile != "" && f.devFileGiven:
		return errors.New("-token takes the place of -dev-file: give one of them")
	case f.tokenFile != "" && (f.config.Renew || f.config.Churn > 0):
		return errors.New("-renew and -churn need fresh tokens: use -dev-file in place of -token")
	}
	return nil
}

func (f *flags) checkNumbers() error {
	c, im := &f.config, &f.config.Impairment
	switch {
	case c.Players < 1:
		return fmt.Errorf("-players %d: must be at least 1", c.Players)
	case c.Rate < 1 || c.Rate > soak.MaxRate:
		return fmt.Errorf("-rate %d: must be 1 to %d", c.Rate, soak.MaxRate)
	case c.Payload < arena.InputLen || c.Payload > soak.MaxPayload:
		return fmt.Errorf("-payload %d: must be %d to %d", c.Payload, arena.InputLen, soak.MaxPayload)
	case c.Bearer && f.tokenFile == "" && c.Payload > soak.MaxBearerPayload:
		return fmt.Errorf("-payload %d: at most %d with -bearer, as the token travels beside it", c.Payload, soak.MaxBearerPayload)
	case c.Duration <= 0:
		return fmt.Errorf("-duration %v: must be more than nothing", c.Duration)
	case im.Latency < 0 || im.Latency > 2*time.Second:
		return fmt.Errorf("-latency %v: must be 0 to 2s", im.Latency)
	case im.Queue < 0 || im.Queue > 2*time.Second:
		return fmt.Errorf("-queue %v: must be 0 to 2s", im.Queue)
	case im.Queue > 0 && im.Bandwidth == 0:
		return fmt.Errorf("-queue %v: is that of a limited line: give -bandwidth, too", im.Queue)
	case c.Duration < c.TokenLife():
		return fmt.Errorf("-duration %v: at least %v with -renew, or no token has to be renewed", c.Duration, c.TokenLife())
	}
	for name, share := range map[string]float64{"loss": im.Loss, "reorder": im.Reorder, "duplicate": im.Duplicate, "churn": c.Churn} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("-%s %v: is a share, 0 to 1", name, share)
		}
	}
	return nil
}
