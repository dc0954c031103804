package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/token"
)

// issuerKeys are keys of -keys that can be replaced. Tokens that were verified before stay good until
// they expire; revoke the key to end their sessions.
type issuerKeys struct {
	now atomic.Pointer[token.StaticKeys]
}

// Key implements token.KeySet.
func (k *issuerKeys) Key(ctx context.Context, kid string) (token.Key, error) {
	return k.now.Load().Key(ctx, kid)
}

// read reads the file.
func (k *issuerKeys) read(path string, alg token.Algorithm) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read -keys: %w", err)
	}
	keys, err := token.ParseKeys(b, alg)
	if err != nil {
		return fmt.Errorf("-keys %s: %w", path, err)
	}
	k.now.Store(keys)
	return nil
}

// readFleetKeys reads -fleet-keys.
func readFleetKeys(path string) ([]fleetkey.Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot use -fleet-keys: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others than its owner may read %s, and so play on as anybody: chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot use -fleet-keys: %w", err)
	}
	defer clear(text)
	keys, err := fleetkey.Parse(text)
	if err == nil && len(keys) == 0 {
		err = errors.New("it holds no key: put one on each line, as fleetkey.Key.Text writes it")
	}
	if err != nil {
		return nil, fmt.Errorf("-fleet-keys %s: %w", path, err)
	}
	return keys, nil
}
