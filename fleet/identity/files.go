package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// fileState is what the files hold, as digests: equal ones mean that nothing has changed.
type fileState [3][sha256.Size]byte

// startFiles reads the files and watches them from then on.
func (s *Source) startFiles(running context.Context) error {
	state, err := s.load(fileState{})
	if err != nil {
		return fmt.Errorf("%w: Files: %w", ErrConfig, err)
	}
	if info, err := os.Stat(s.config.Files.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		s.config.Log.Warn("identity: every user of this machine can read the private key", "do", "chmod o-rwx the key file")
	}
	s.wg.Go(func() { s.watchFiles(running, state) })
	return nil
}

// watchFiles looks at the files each Poll. It goes by their content: times of files are too coarse
// to show two changes in a row. What is bad is looked at again each time, since it may be half
// written, or not valid yet; the log has it once it has been bad twice without a change.
func (s *Source) watchFiles(running context.Context, used fileState) {
	ticker := time.NewTicker(s.config.Poll)
	defer ticker.Stop()
	var bad, told fileState
	for {
		select {
		case <-running.Done():
			return
		case <-ticker.C:
		}
		state, err := s.load(used)
		switch {
		case err == nil:
			used, bad, told = state, fileState{}, fileState{}
		case state != bad:
			bad = state
		case state != told:
			told = state
			s.unusable("the new files are not used", err, "write certificate, key and bundle that belong together; the former ones are used until then")
		}
	}
}

// load reads the files, and uses them if they are not those of the state used. It returns the state
// of the files, also with an error.
func (s *Source) load(used fileState) (state fileState, err error) {
	var content [3][]byte
	defer func() { clear(content[1]) }()
	for i, name := range [3]string{s.config.Files.Certificate, s.config.Files.Key, s.config.Files.Bundle} {
		if content[i], err = readFile(name); err != nil {
			return state, err
		}
		state[i] = sha256.Sum256(content[i])
	}
	if state == used {
		return state, nil
	}
	svid, err := x509svid.Parse(content[0], content[1])
	if err != nil {
		return state, err
	}
	bundle, err := x509bundle.Parse(svid.ID.TrustDomain(), content[2])
	if err != nil {
		return state, fmt.Errorf("bundle: %w", err)
	}
	return state, s.install(svid, bundle)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is longer than 1 MiB", name)
	}
	return b, err
}
