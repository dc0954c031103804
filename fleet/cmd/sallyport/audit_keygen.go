package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/sallyport/sallyport/audit/chain"
	cmdline "github.com/sallyport/sallyport/internal/lab/command"
)

const auditKeygenHelp = `Keygen makes an Ed25519 key pair for the chain of a server's audit. Each server has its own.

  sallyport audit keygen -key /etc/sallyport/audit.key -public audit.pub

The server signs with the first (audit.ChainConfig.Signer, -audit-key of examples/server). Whoever
reads it can write any history: it stays on that server, mode 0600. "sallyport audit verify" needs the
second only, which belongs where the audit is read. Files that exist are not overwritten.

Exit status: 0 both files are written, 2 one could not be.

Flags:
`

// auditKeygen is "audit keygen".
func auditKeygen(_ context.Context, c console, args []string) int {
	var key, public string
	set := flag.NewFlagSet("sallyport audit keygen", flag.ContinueOnError)
	set.StringVar(&key, "key", "audit.key", "`file` for the private key")
	set.StringVar(&public, "public", "audit.pub", "`file` for the public key")
	if status, ok := cmdline.Parse(set, auditKeygenHelp, args, noArguments, c.stdout, c.stderr); !ok {
		return status
	}
	private, pub, err := chain.GenerateKey()
	if err == nil {
		defer clear(private)
		err = createFile(key, private, 0o600)
	}
	if err == nil {
		if err = createFile(public, pub, 0o644); err != nil {
			os.Remove(key) //nolint:errcheck // err says more
		}
	}
	if err != nil {
		fmt.Fprintf(c.stderr, "sallyport audit keygen: %v\n", err)
		return exitUsage
	}
	keys, _ := chain.ParsePublicKeys(pub)
	fmt.Fprintf(c.stdout, "key %s: %s signs, %s verifies\n", chain.KeyID(keys[0]), key, public)
	return exitOK
}

// createFile writes a file that does not exist.
func createFile(path string, data []byte, mode os.FileMode) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if os.IsExist(err) {
		return fmt.Errorf("%s exists: move it away, or choose another name", path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(path) //nolint:errcheck // err says more
	}
	return err
}

// noArguments is the check of a subcommand that has flags alone.
func noArguments(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q: everything is a flag", rest[0])
	}
	return nil
}
