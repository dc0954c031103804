package audit

import (
	"cmp"
	"crypto"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/audit/chain"
	"github.com/sallyport/sallyport/internal/auditchain"
)

// ChainConfig makes a chain of the lines of a JSON sink, as package audit/chain describes: each line
// holds the hash of the line before, and heads are signed.
type ChainConfig struct {
	// Signer signs the heads: an ed25519.PrivateKey such as chain.ParseSigner returns, or a module
	// that keeps one. It is called by the goroutine that writes. While it fails heads have no
	// signature, and Close returns its error.
	Signer crypto.Signer

	// After is the end of the file that the lines are appended to, as chain.Last returns it: the
	// first line names it, so that nothing between the two chains can be removed. Zero means that
	// it is unknown.
	After chain.End

	// Every is how often a head is signed, whether or not there are lines: the end of the file is
	// unsigned for at most that long. Zero means a minute; negative is an error.
	Every time.Duration
}

// check returns an error for a chain that cannot work. No chain works.
func (c *ChainConfig) check() error {
	if c == nil {
		return nil
	}
	if _, ok := auditchain.Public(c.Signer); !ok {
		return fmt.Errorf("%w: Chain.Signer has no Ed25519 key", ErrConfig)
	}
	if c.Every < 0 {
		return fmt.Errorf("%w: Chain.Every of %v", ErrConfig, c.Every)
	}
	return nil
}

// link has j make a chain, if there is a configuration for it.
func (j *JSON) link(c *ChainConfig) {
	if c == nil {
		return
	}
	j.every = cmp.Or(c.Every, defaultEvery)
	j.torn = c.After.Torn
	var after *auditchain.After
	var previous string
	if c.After.Chain != "" {
		after = &auditchain.After{ID: c.After.Chain, Sequence: c.After.Sequence}
		previous = auditchain.HashText(c.After.Hash)
	}
	j.chain = auditchain.New(c.Signer, after, previous)
}
