package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sallyport/sallyport/audit/chain"
	cmdline "github.com/sallyport/sallyport/internal/lab/command"
)

const auditVerifyHelp = `Verify reads audit lines of which a server makes a chain (-audit-key of examples/server,
audit.JSONConfig.Chain), and says whether all of them are here, as the server has written them.

  sallyport audit verify -key audit.pub audit.jsonl
  sallyport audit verify -key audit.pub /var/log/sallyport/audit.jsonl*      rotated files, .gz too
  zcat audit-*.gz | sallyport audit verify -key audit.pub -
  sallyport audit verify -key audit.pub -live audit.jsonl                    of a server that runs

Files are read in the order of their first lines, whatever their names; standard input (-) as it comes.
Lines of several servers and restarts may be mixed: -key takes a file with all public keys, and may be
given more than once.

A fault is something that the writer has not done, or of which nothing shows that it has:
  altered      a line is not the one that the next one was written after
  missing      lines between two others, or behind the last one, are not here
  misplaced    lines stand behind later ones
  repeated     lines are here a second time
  inserted     a line claims to be of a chain that has no such line
  foreign      a line is of no chain
  signature    a head has no signature, or was altered after it was signed
  unknown key  a head is signed with a key that -key does not have
  other key    a head is signed with another key than those before it: a chain has one
  unsigned     lines stand behind the last signed head: anybody could have written them
  open         a chain does not end: the server runs, was killed, or the rest was removed
  earlier      a chain begins before the first line: in an older file, or that was removed
A note is what the writer itself says:
  lost         events had no line, as a queue was full or a disk did not take them
  torn         a line was cut off, as by a process that was killed
  killed       a chain does not end, and the next one goes on behind its last line

Lines from a SIEM can be verified if it keeps them byte by byte: -any-order takes them as they come. Of
a store that rewrites JSON, count: the largest metadata.sequence of each unmapped.chain.id is how many
lines the chain has.

With -json each finding is one line of JSON, and a summary is the last one.

Exit status: 0 whole, 1 at least one fault, or no line of a chain; 2 a flag or a file could not be used.

Flags:
`

// liveAge is how old the last signed head of a server that runs may be: one a minute, and a minute
// for a disk or a shipper that is late.
const liveAge = 2*time.Minute + 10*time.Second

// verifyFlags is the command line of "audit verify".
type verifyFlags struct {
	keys                            []ed25519.PublicKey
	live, partial, anyOrder, asJSON bool
	max                             int
	files                           []string
}

func (f *verifyFlags) parse(c console, args []string) (status int, ok bool) {
	set := flag.NewFlagSet("sallyport audit verify", flag.ContinueOnError)
	set.Func("key", "PEM `file` with the public keys of the servers (required)", f.addKeys)
	set.BoolVar(&f.live, "live", false, "the servers run: a chain that is open is no fault if its last head is younger than 2m10s")
	set.BoolVar(&f.partial, "partial", false, "older files are elsewhere: what is earlier is no fault")
	set.BoolVar(&f.anyOrder, "any-order", false, "lines come in any order, as from a SIEM")
	set.BoolVar(&f.asJSON, "json", false, "print JSON, one object a line")
	set.IntVar(&f.max, "max", 200, "print so many findings; the rest is counted")
	return cmdline.Parse(set, auditVerifyHelp, args, f.check, c.stdout, c.stderr)
}

// addKeys takes one -key.
func (f *verifyFlags) addKeys(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	keys, err := chain.ParsePublicKeys(text)
	f.keys = append(f.keys, keys...)
	return err
}

func (f *verifyFlags) check(rest []string) error {
	f.files = rest
	switch {
	case len(f.keys) == 0:
		return errors.New("-key is missing: without the servers' public keys nothing shows who has written the lines")
	case len(rest) == 0:
		return errors.New("give files, or - for standard input")
	case f.max < 0:
		return fmt.Errorf("-max %d: must not be less than nothing", f.max)
	}
	return nil
}

// excused reports whether a fault is what the flags say is to be expected.
func (f *verifyFlags) excused(found chain.Finding, now time.Time) bool {
	switch found.Kind {
	case chain.Open, chain.Unsigned:
		return f.live && now.Sub(found.Time) <= liveAge
	case chain.Earlier:
		return f.partial
	}
	return false
}

// auditVerify is "audit verify".
func auditVerify(ctx context.Context, c console, args []string) int {
	f := &verifyFlags{}
	if status, ok := f.parse(c, args); !ok {
		return status
	}
	r := &verifyReport{flags: f, out: c.stdout, now: time.Now()}
	v, err := chain.NewVerifier(chain.Config{Keys: f.keys, AnyOrder: f.anyOrder, Report: r.add})
	if err == nil {
		err = readAll(ctx, v, c.stdin, f.files)
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if err != nil {
		fmt.Fprintf(c.stderr, "sallyport audit verify: %v\n", err)
		return exitUsage
	}
	return r.end(v.Close())
}

// readAll has v read all files.
func readAll(ctx context.Context, v *chain.Verifier, stdin io.Reader, files []string) error {
	sorted, err := byAge(files)
	if err != nil {
		return err
	}
	for _, path := range sorted {
		in, err := openLines(path, stdin)
		if err != nil {
			return err
		}
		err = v.Read(path, interruptible{ctx, in})
		in.Close() //nolint:errcheck // has been read
		if err != nil {
			return err
		}
	}
	return nil
}
