// Package doctor looks at a machine on which a match server is to run, and says what will not work.
//
//	flags → examination → checks, one after the other → a table, or JSON, and an exit status
//
// A check is a function from an examination to a result. What it asks of the machine it asks of host,
// so that a test can see each of them fail.
package doctor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/sallyport/sallyport/fleet/internal/show"
	"github.com/sallyport/sallyport/internal/lab/command"
)

const help = `Doctor looks at a machine before a match server starts on it, or while one runs, and says what will
not work, and what to do. It takes the server's own flags (examples/server); what is not given is not
looked at. Run it as the user that the server runs as: root may do what that user may not.

  sallyport doctor -listen :7777 -cert cert.pem -key key.pem -name play.example.com \
    -jwks https://id.example.com/jwks.json -fleet-keys fleet.keys -audit /var/log/sallyport/audit.jsonl
  systemd-run --pty --uid=sallyport -p LimitNOFILE=65536 sallyport doctor -running -listen :7777

  port              the UDP address can be listened on; with -running, a server does
  receive buffer    net.core.rmem_max against the 4,194,304 bytes that each socket asks for
  send buffer       net.core.wmem_max likewise
  segmentation      the kernel sends and takes many datagrams of a player at once (UDP_SEGMENT, UDP_GRO)
  ipv6              the machine has a global IPv6 address
  clock             synchronised, says the kernel; and against the Date of the JWKS endpoint's answer
  certificate       can be used by a handshake, by name, how long it lasts, and whether its issuer comes along
  keys of issuer    the JWKS endpoint answers, and what is in it
  fleet keys        the file can be read by its owner alone, and holds keys
  audit             its folder can be written and has room; the key of its chain
  snapshot          its folder can be written, by the server alone
  files             how many files the process may open
  program           Go, handshake engine and version of this program, or of the server's (-program)

ok: nothing to do. warn: it works, and worse than it could. fail: players will not get in, or are not
safe. skip: not looked at.

Exit status: 0 nothing fails, 1 something does, 2 a flag could not be used, 130 interrupted.

Flags:
`

// flags is the command line of doctor.
type flags struct {
	listen, cert, key, name    string
	jwks, pool, endpoint       string
	fleetKeys, audit, auditKey string
	snapshot, program          string
	running, asJSON            bool
}

func (f *flags) parse(args []string, stdout, stderr io.Writer) (status int, ok bool) {
	set := flag.NewFlagSet("sallyport doctor", flag.ContinueOnError)
	set.StringVar(&f.listen, "listen", ":7777", "UDP `address` for players")
	set.BoolVar(&f.running, "running", false, "the server runs: its port is in use")
	set.StringVar(&f.cert, "cert", "", "PEM `file`: certificate, leaf first")
	set.StringVar(&f.key, "key", "", "PEM `file`: its private key")
	set.StringVar(&f.name, "name", "", "`names` that clients dial, with commas between")
	set.StringVar(&f.jwks, "jwks", "", "`URL` of the issuer's JWK set")
	set.StringVar(&f.pool, "cognito-pool", "", "user `pool` of Amazon Cognito, in place of -jwks")
	set.StringVar(&f.endpoint, "cognito-endpoint", "", "`URL` of an emulator or another partition; empty means Amazon's")
	set.StringVar(&f.fleetKeys, "fleet-keys", "", "`file` with the keys that the fleet shares")
	set.StringVar(&f.audit, "audit", "", "`file` to which trust decisions are appended")
	set.StringVar(&f.auditKey, "audit-key", "", "PEM `file` with the key that signs them")
	set.StringVar(&f.snapshot, "snapshot", "", "`file` by which sessions are handed on")
	set.StringVar(&f.program, "program", "", "the server's program `file`; empty looks at this program")
	set.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return command.Parse(set, help, args, f.check, stdout, stderr)
}

func (f *flags) check(rest []string) error {
	switch {
	case (f.cert == "") != (f.key == ""):
		return errors.New("-cert and -key belong together: give both")
	case f.name != "" && f.cert == "":
		return errors.New("-name is what -cert must be for: give -cert and -key")
	case f.jwks != "" && f.pool != "":
		return errors.New("-cognito-pool knows where its keys are: leave out -jwks")
	case f.pool == "" && f.endpoint != "":
		return errors.New("-cognito-endpoint goes with -cognito-pool")
	}
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q: everything is a flag", rest[0])
	}
	return nil
}

// Exit statuses; command.Parse has those of the command line.
const (
	allWell     = 0
	failed      = 1
	interrupted = 130
)

// state is how a check has gone.
type state string

const (
	stateOK   state = "ok"
	stateWarn state = "warn"
	stateFail state = "fail"
	stateSkip state = "skip"
)

// result is a row of the table.
type result struct {
	Check string `json:"check"`
	State state  `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // what to do, unless it is ok
}

// examination is what the checks look at.
type examination struct {
	*flags
	host host
	keys *issuerKeys // of the issuer; nil without one
}

// checks are those of doctor, in their order.
var checks = []struct {
	name string
	run  func(*examination) result
}{
	{"port", checkPort},
	{"receive buffer", checkReceiveBuffer},
	{"send buffer", checkSendBuffer},
	{"segmentation", checkSegmentation},
	{"ipv6", checkIPv6},
	{"clock", checkClock},
	{"certificate", checkCertificate},
	{"keys of issuer", checkIssuer},
	{"fleet keys", checkFleetKeys},
	{"audit", checkAudit},
	{"snapshot", checkSnapshot},
	{"files", checkFiles},
	{"program", checkProgram},
}

// Run is "sallyport doctor" with its arguments. It returns the exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f := &flags{}
	if status, ok := f.parse(args, stdout, stderr); !ok {
		return status
	}
	return examine(ctx, stdout, &examination{flags: f, host: thisHost()})
}

// examine makes all checks and prints the outcome.
func examine(ctx context.Context, w io.Writer, e *examination) int {
	e.fetchKeys(ctx)
	var results []result
	counts := make(map[state]int)
	for _, check := range checks {
		if ctx.Err() != nil {
			return interrupted
		}
		r := check.run(e)
		r.Check = check.name
		results = append(results, r)
		counts[r.State]++
	}
	if e.asJSON {
		show.JSON(w, map[string]any{"checks": results, "failed": counts[stateFail], "warned": counts[stateWarn]})
	} else {
		printResults(w, results, counts)
	}
	if counts[stateFail] > 0 {
		return failed
	}
	return allWell
}

func printResults(w io.Writer, results []result, counts map[state]int) {
	for _, r := range results {
		fmt.Fprintf(w, "%-4s  %-14s  %s\n", r.State, r.Check, r.Found)
		for line := range strings.Lines(r.Do) {
			fmt.Fprintf(w, "%20s  → %s\n", "", strings.TrimSuffix(line, "\n"))
		}
	}
	fmt.Fprintf(w, "%d ok, %d warn, %d fail, %d skip\n", counts[stateOK], counts[stateWarn], counts[stateFail], counts[stateSkip])
}

func ok(format string, args ...any) result {
	return result{State: stateOK, Found: fmt.Sprintf(format, args...)}
}

func skip(why string) result { return result{State: stateSkip, Found: why} }

func warn(do, format string, args ...any) result {
	return result{State: stateWarn, Do: do, Found: fmt.Sprintf(format, args...)}
}

func fail(do, format string, args ...any) result {
	return result{State: stateFail, Do: do, Found: fmt.Sprintf(format, args...)}
}
